"""Services: the service in the test's own process, or as the real processes of Granian and `litestar run`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httpx

from app import create_app
from app.application import RESOURCES
from app.settings import Settings
from app.settings.database_url import parse_database_url
from tests.faults.ports import free_port

ROOT = Path(__file__).resolve().parents[2]

ADA = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}


BULKS = [f"{vars(resource)['path']}/bulk" for resource in RESOURCES if hasattr(resource, "create_many")]
"""The routes that take many rows at once."""
COLLECTIONS = [vars(resource)["path"] for resource in RESOURCES if hasattr(resource, "update")]
"""The routes of what can be read, changed and deleted by its id."""


def ada(number: int | str) -> dict[str, str]:
    """A sign-up with an address of its own."""
    return {**ADA, "email": f"ada{number}@example.com"}


@asynccontextmanager
async def service_in_process(database: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The service in this event loop."""
    app = create_app(
        Settings(database_url=parse_database_url(database), log_format="json", log_level="error", **settings)
    )
    transport = httpx.ASGITransport(app=cast("Any", app), client=("127.0.0.1", 50_000))
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


class Service:
    """The processes of one service."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def terminate(self) -> None:
        """SIGTERM to the command, as an init system sends it."""
        self.process.send_signal(signal.SIGTERM)

    def output(self) -> str:
        """All that its processes have printed."""
        return self.log.read_text(errors="replace")

    def client(self, **options: Any) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None)
        options = {"timeout": 30, "limits": limits, "trust_env": False, **options}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", **options)


@asynccontextmanager
async def service(
    database: str, *, workers: int = 1, by_litestar: bool = False, **environment: Any
) -> AsyncIterator[Service]:
    """The service with these settings, once it answers; killed with all its workers afterwards.

    `by_litestar` runs it as `litestar run` does, whose parent process imports everything too; else as Granian alone.
    """
    port = free_port()
    programs = Path(sys.executable).parent
    command = [str(programs / "granian"), "--interface", "asgi", "--factory", "app:create_app", "--http", "1"]
    if by_litestar:
        command = [str(programs / "litestar"), "--app", "app:create_app", "run"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers" if not by_litestar else "-W", str(workers)]
    settings = {"DATABASE_URL": database, "LOG_FORMAT": "json", "PYTHONUNBUFFERED": "1", **environment}
    with tempfile.TemporaryDirectory(prefix="service-", dir="/tmp") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=ROOT,
                env={**os.environ, **settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            running = Service(process, port, log)
            await _until_it_answers(running, workers)
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _until_it_answers(running: Service, workers: int) -> None:
    """Wait until every worker serves: one that still imports does not hear signals."""
    deadline = time.monotonic() + 60
    async with running.client() as client:
        while True:
            with suppress(httpx.TransportError):
                answered = (await client.get("/health/live")).status_code == 200
                if answered and running.output().count("Started worker") >= workers:
                    return
            assert running.process.returncode is None, running.output()
            assert time.monotonic() < deadline, running.output()
            await asyncio.sleep(0.05)
