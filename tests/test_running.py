"""Running: `litestar run` as a person or a supervisor runs it, and above all how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).parent.parent
WORKERS = pytest.mark.parametrize("options", [(), ("--workers=2",), ("--reload",)], ids=["one", "two", "reload"])


class Service:
    """One `litestar run` in a session of its own, as a terminal makes one, on an embedded database in `data_dir`."""

    def __init__(self, data_dir: Path, *options: str, **settings: str) -> None:
        self.data_dir = data_dir
        self.url = f"http://127.0.0.1:{_free_port()}"
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        self.process = psutil.Popen(
            [Path(sys.executable).with_name("litestar"), "run", f"--port={self.url.rpartition(':')[2]}", *options],
            cwd=ROOT,
            env={**environment, "EMBEDDED_DATA_DIR": str(data_dir), **settings},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.family: set[psutil.Process] = set()

    def wait_until_ready(self) -> "Service":
        _eventually(lambda: self._status("/health/ready") == 200)
        self.family = set(self.process.children(recursive=True))
        return self

    def send(self, number: signal.Signals) -> None:
        """Ctrl-C and a closed terminal reach the whole foreground group, a supervisor's SIGTERM only its child."""
        if number is signal.SIGTERM:
            self.process.send_signal(number)
        else:
            os.killpg(self.process.pid, number)

    def end(self, number: signal.Signals) -> int:
        self.send(number)
        return int(self.process.wait(timeout=15))

    def left(self) -> list[psutil.Process]:
        """The processes that outlived the command."""
        return [process for process in self.family if process.is_running()] + _postgres_of(self.data_dir)

    def _status(self, path: str) -> int:
        if self.process.poll() is not None:
            pytest.fail(f"ended while starting: {self.process.stdout.read()}")
        with suppress(httpx.TransportError):
            return httpx.get(self.url + path, timeout=5).status_code
        return 0


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def run(*options: str, **settings: str) -> Service:
        services.append(Service(tmp_path / ".postgres", *options, **settings))
        return services[-1]

    yield run
    for service in services:
        for process in (service.process, *service.left()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        service.process.communicate()


@WORKERS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_workers_and_the_database(
    run: Callable[..., Service], options: tuple[str, ...], number: signal.Signals
) -> None:
    service = run(*options).wait_until_ready()

    service.end(number)

    assert service.left() == []


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _eventually(claim: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _postgres_of(data_dir: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if process.info["name"] == "postgres" and process.cwd() == str(data_dir / "data"):
                found.append(process)
    return found
