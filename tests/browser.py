"""Browser: headless Chromium, spoken to through a pipe, with every address that a page asks for."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Page:
    """A page of a browser."""

    def __init__(self, sending: int, receiving: int) -> None:
        self.asked: list[str] = []
        """Every address that was asked for."""
        self._sending = sending
        self._receiving = receiving
        self._read = b""
        self._number = 0
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Page", "Runtime"):
            self._call(f"{domain}.enable")

    def open(self, url: str, *, width: int = 1100, height: int = 1000) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        return self._call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def until(self, script: str, seconds: float = 20) -> None:
        """Ask until the value is true."""
        deadline = time.monotonic() + seconds
        while not self.run(f"!!({script})"):
            assert time.monotonic() < deadline, script
            time.sleep(0.05)

    def screenshot(self) -> bytes:
        """As PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        call = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            call["sessionId"] = self._session
        os.write(self._sending, json.dumps(call).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("method") == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]

    def _message(self) -> Any:
        while b"\0" not in self._read:
            piece = os.read(self._receiving, 1 << 20)
            assert piece, "the browser has ended"
            self._read += piece
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browser(program: str) -> Iterator[Page]:
    """A browser with one page, which can reach no name but this machine's."""
    (taken, sending), (receiving, given) = os.pipe(), os.pipe()
    # Out of the way of the numbers that they get.
    their_input, their_output = (fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (taken, given))
    os.close(taken)
    os.close(given)
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]

    def hand_over() -> None:
        # The browser reads from 3 and writes to 4.
        os.dup2(their_input, 3)
        os.dup2(their_output, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}"],
            preexec_fn=hand_over,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_input)
        os.close(their_output)
        try:
            yield Page(sending, receiving)
        finally:
            process.kill()
            process.wait()
            os.close(sending)
            os.close(receiving)
