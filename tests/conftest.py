"""A migrated database and a client for each test; the database is one for each worker, emptied in between."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app import create_app
from app.database.model import Model
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.commands import Shell
from tests.contrib import contrib_server
from tests.databases import empty_database, engine_of, migrate
from tests.services import Service, Start

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's `&` hands this down, and the programs under test would not hear an interrupt either.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: half of the time a test waits, for a time-out or for a process."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def contrib() -> Iterator[DatabaseUrl]:
    """A server of the system's own PostgreSQL."""
    with contrib_server() as url:
        yield url


@pytest.fixture(scope="session")
async def database() -> AsyncIterator[DatabaseUrl]:
    async with empty_database() as url:
        await migrate(url)
        yield url


@pytest.fixture(scope="session")
async def app(database: DatabaseUrl) -> AsyncIterator[Litestar]:
    app = create_app(Settings(database_url=database, throttle=False, log_format="json", log_level="warning"))
    async with app.lifespan():
        yield app


@pytest.fixture(scope="session")
async def closed_app(database: DatabaseUrl) -> AsyncIterator[Litestar]:
    """The same, for those only who have signed in."""
    app = create_app(
        Settings(database_url=database, access="token", throttle=False, log_format="json", log_level="warning")
    )
    async with app.lifespan():
        yield app


@pytest.fixture(scope="session")
async def engine(database: DatabaseUrl) -> AsyncIterator[AsyncEngine]:
    """The test's own view of the database."""
    engine = engine_of(database)
    yield engine
    await engine.dispose()


@pytest.fixture
async def client(app: Litestar, engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    """A client on this machine, before empty tables."""
    tables = ", ".join(str(mapper.local_table) for mapper in Model.registry.mappers)
    async with engine.connect() as connection:
        await connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    transport = httpx.ASGITransport(app=cast("Any", app), client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def remote(closed_app: Litestar, client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A client from elsewhere that has not signed in, before empty tables."""
    async with client_of(closed_app, address="203.0.113.7", host="api.example.com") as remote:
        yield remote


@pytest.fixture
def shell(client: httpx.AsyncClient, database: DatabaseUrl) -> Shell:
    """Runs commands, before empty tables."""
    return Shell(database)


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's: as root the database runs as another user, to whom pytest closes its folders again and again.
    with TemporaryDirectory(prefix="services-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts services, which share an embedded database and end with the test."""
    services: list[Service] = []

    def start(*options: str, **how: Any) -> Service:
        services.append(Service(folder / ".postgres", *options, **how))
        return services[-1]

    yield start
    for service in services:
        service.kill()
