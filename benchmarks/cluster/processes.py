"""Processes: whatever runs for a cluster, in one folder, and none of it afterwards."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.cluster.programs import SERVER_USER

START_SECONDS = 60
EXCERPT = 2000


class Processes:
    """Context of a run: its folder, and the processes by name. Leaving kills all of them and removes the folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cluster-", dir="/tmp"))
        self.folder.chmod(0o755)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        """Patroni's PostgreSQL is in nobody's process group; it is known by where it works."""
        for name in list(self._running):
            self.kill(name)
        while left := processes_below(self.folder):
            kill_all(left)
        shutil.rmtree(self.folder)

    def write(self, name: str, text: str) -> Path:
        """A configuration that the servers' user can read."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        return path

    def home(self, name: str) -> Path:
        """A folder of the servers' user."""
        path = self.folder / name
        path.mkdir(mode=0o700)
        if SERVER_USER:
            os.chown(path, SERVER_USER.pw_uid, SERVER_USER.pw_gid)
        return path

    def start(self, name: str, *command: str, cwd: Path, as_server: bool = True, **environment: str) -> None:
        """Start in a session of its own, as the servers' user or as whoever runs this; its output goes to a log."""
        user = SERVER_USER if as_server else None
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=cwd,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=user and [],
            )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def until(self, name: str, is_so: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait for something that a process does. Raises: SystemExit, with the end of its log."""
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline or (name in self._running and self._running[name].poll() is not None):
                raise SystemExit(f"{name} is not as it should be:\n{self.log(name).read_text()[-EXCERPT:]}")
            time.sleep(0.1)

    def kill(self, name: str) -> None:
        """SIGKILL to a process and all of its session."""
        process = self._running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def terminate(self, name: str, seconds: float = START_SECONDS) -> None:
        """SIGTERM, and wait until it has ended."""
        process = self._running.pop(name)
        process.terminate()
        process.wait(seconds)


def processes_below(folder: Path) -> list[psutil.Process]:
    """Those that work in a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def kill_all(processes: list[psutil.Process]) -> None:
    """At once: the first ones could otherwise be missed by the others while these live."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=5)
