"""PostgreSQL: a server of a test's own, to be killed, restarted, replicated and promoted."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import psutil

from app.database.postgres import PostgresServer, _hand_over, _programs
from app.settings.database_url import DatabaseUrl, parse_database_url
from tests.databases import migrate
from tests.faults.ports import free_port

Record = asyncpg.Record

# Killing a process loses nothing that it has written, only a crash of the machine would: no need to wait for disks.
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "16MB",
    "io_method": "sync",
    "wal_receiver_status_interval": "1s",
    "hot_standby_feedback": "on",
}


class PrivatePostgres:
    """A server on a copy of a migrated data directory."""

    def __init__(self, home: Path, options: dict[str, str]) -> None:
        self.home = home
        self.port = free_port()
        self.options = {**_OPTIONS, **options}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def text(self) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def url(self) -> DatabaseUrl:
        return parse_database_url(self.text)

    async def start(self, *, wait: bool = True) -> None:
        """Start, or start again after `kill`; `wait` until it accepts connections."""
        pid_file = self.home / "data/postmaster.pid"
        pid_file.unlink(missing_ok=True)
        options = [f"-c{name}={value}" for name, value in {**self.options, "port": self.port}.items()]
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  # returns at once
                [_programs() / "postgres", "-D", "data", *options],
                cwd=self.home,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=user and [],
            )
        async with asyncio.timeout(30):
            while wait and not _ready(pid_file):
                assert self._process.poll() is None, (self.home / "log").read_text()
                await asyncio.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL to every process of the server at once, as if the machine had lost its power."""
        assert self._process is not None
        for process in [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children()]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self._process.wait()

    def promote(self) -> None:
        """Make a standby the primary, without waiting until it is."""
        trigger = self.home / "data/promote"
        trigger.touch()
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)

    async def fetch(self, sql: str, *values: object) -> list[Record]:
        """Look at the database past the service."""
        connection = await asyncpg.connect(self.text.replace("+asyncpg", ""))
        try:
            found: list[Record] = await connection.fetch(sql, *values)
            return found
        finally:
            await connection.close()

    async def until(self, sql: str, count: int, *, within: float = 10) -> None:
        """Wait until a query finds this many rows."""
        async with asyncio.timeout(within):
            while len(await self.fetch(sql)) != count:
                await asyncio.sleep(0.02)

    async def execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.text.replace("+asyncpg", ""))
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


def _ready(pid_file: Path) -> bool:
    with suppress(FileNotFoundError):
        lines = pid_file.read_text().splitlines()
        return len(lines) > 7 and lines[7].strip() in ("ready", "standby")
    return False


async def build_template(folder: Path) -> None:
    """A data directory with the tables of the service, to be copied for each server."""
    home = Path(tempfile.mkdtemp(prefix="template-", dir="/tmp"))
    server = PostgresServer(home)
    try:
        socket_dir = server.start()
        await migrate(parse_database_url(f"postgresql://postgres@/postgres?host={socket_dir}"))
        server.stop()
        shutil.move(home / "data", folder)
    finally:
        shutil.rmtree(home)


@contextmanager
def servers_from(template: Path) -> Iterator[Callable[..., PrivatePostgres]]:
    """Make servers that are killed and gone afterwards."""
    made: list[PrivatePostgres] = []

    def make(**options: str) -> PrivatePostgres:
        home = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
        _hand_over(home)
        subprocess.run(["cp", "-a", template, home / "data"], check=True)
        made.append(PrivatePostgres(home, options))
        return made[-1]

    try:
        yield make
    finally:
        for server in made:
            if server._process is not None and server._process.poll() is None:
                server.kill()
            shutil.rmtree(server.home)
