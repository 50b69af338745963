"""Services: `litestar run` as a person or a supervisor runs it, in processes that a test can watch end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent
LITESTAR = Path(sys.executable).with_name("litestar")


class Service:
    """One `litestar run`, or another `command`, in a session of its own, as a terminal makes one.

    Its database is an embedded one in `data_dir`.
    """

    def __init__(
        self,
        data_dir: Path,
        *options: str,
        command: tuple[str | Path, ...] = (LITESTAR, "run"),
        cwd: Path = ROOT,
        **settings: str,
    ) -> None:
        self.data_dir = data_dir
        self.port = _free_port()
        self.log = data_dir.with_name(f"{self.port}.log")
        given = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        with self.log.open("wb") as log:
            self.process = psutil.Popen(
                [*command, f"--port={self.port}", *options],
                cwd=cwd,
                env={**given, "EMBEDDED_DATA_DIR": str(data_dir), **settings},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.workers = 2 if "--workers=2" in options else 1
        self.family: set[psutil.Process] = set()

    def wait_until_ready(self) -> Service:
        """Wait until every worker serves: one that still imports does not hear signals."""
        eventually(lambda: self.process.poll() is not None or self._all_serve(), 90)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def _all_serve(self) -> bool:
        return self.log.read_text().count("Started worker") >= self.workers and self.status("/health/ready") == 200

    def status(self, path: str) -> int | None:
        """The status of an answer on a connection of its own; None if the connection fails."""
        with suppress(OSError, HTTPException), closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status
        return None

    def send(self, number: signal.Signals) -> None:
        """Ctrl-C and the end of a terminal reach the foreground group, a supervisor's SIGTERM its child only."""
        self.family.update(self.process.children(recursive=True))
        if number is signal.SIGTERM:
            self.process.send_signal(number)
        else:
            os.killpg(self.process.pid, number)

    def wait(self) -> int:
        """The exit code, which a supervisor expects in 15 seconds."""
        code = self.process.wait(timeout=15)
        assert isinstance(code, int)
        return code

    def left(self) -> list[psutil.Process]:
        """The processes that outlived the command."""
        return [process for process in self.family if _runs(process)] + self.postgres()

    def postgres(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["name"]):
            with suppress(psutil.Error):
                if process.info["name"].startswith("postgres") and process.cwd() == str(
                    (self.data_dir / "data").resolve()
                ):
                    found.append(process)
        return found

    def initializing(self) -> list[psutil.Process]:
        """The server that `initdb` runs to fill a new folder."""
        found = []
        for child in self.process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                found += [child] if {"--boot", "--single"} & set(child.cmdline()) else []
        return found

    def kill_service(self) -> None:
        """Kill everything but the database, as a crash would."""
        for process in (self.process, *self.process.children(recursive=True)):
            process.kill()
        self.process.wait()

    def kill(self) -> None:
        """Clean up after a test, whatever it left."""
        with suppress(psutil.NoSuchProcess):
            self.family.update(self.process.children(recursive=True))
        for process in (self.process, *self.left()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


Start = Callable[..., Service]


def eventually(claim: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} seconds")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
