"""Private PostgreSQL servers, all copied from one migrated data directory."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.network import Proxy, proxy_to
from tests.faults.postgres import PrivatePostgres, build_template, servers_from


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated data directory, built once for all workers of the run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "template").exists():
            asyncio.run(build_template(folder / "template"))
    return folder / "template"


@pytest.fixture
def make_postgres(template: Path) -> Iterator[Callable[..., PrivatePostgres]]:
    with servers_from(template) as make:
        yield make


@pytest.fixture
async def postgres(make_postgres: Callable[..., PrivatePostgres]) -> PrivatePostgres:
    """A server that runs."""
    server = make_postgres()
    await server.start()
    return server


@pytest.fixture
async def proxy(postgres: PrivatePostgres) -> AsyncIterator[Proxy]:
    """A network between the service and the server."""
    async with proxy_to(postgres.port) as proxy:
        yield proxy
