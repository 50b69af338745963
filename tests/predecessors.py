"""Predecessors: the service of the FastAPI recipe, here or as a process of its own, on tables that it makes itself."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.databases import as_text, empty_database, migrate
from tests.faults.ports import free_port

ROOT = Path(__file__).parent.parent
TEXTBOOK = ROOT / "benchmarks/peers/textbook.py"


def _textbook(url: DatabaseUrl) -> Any:
    """The module, anew for each database."""
    spec = importlib.util.spec_from_file_location("textbook", TEXTBOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", as_text(url))
        # Pydantic looks up the names of annotations there.
        patch.setitem(sys.modules, "textbook", module)
        spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def predecessor(url: DatabaseUrl) -> AsyncIterator[httpx.AsyncClient]:
    """The service in this event loop, after it has made its tables."""
    textbook = _textbook(url)
    async with textbook.engine.begin() as connection:
        await connection.run_sync(textbook.Base.metadata.create_all)
    transport = httpx.ASGITransport(app=cast("Any", textbook.app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
    await textbook.engine.dispose()


@asynccontextmanager
async def side_by_side() -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Clients of both services, each with a database of its own."""
    async with empty_database() as theirs, empty_database() as ours:
        await migrate(ours)
        app = create_app(Settings(database_url=ours, log_format="json", log_level="error"))
        async with predecessor(theirs) as old, app.lifespan(), client_of(app) as new:
            yield old, new


async def make_tables(url: DatabaseUrl) -> None:
    async with predecessor(url):
        pass


@asynccontextmanager
async def predecessor_process(
    url: DatabaseUrl,
) -> AsyncIterator[tuple[httpx.AsyncClient, Callable[[], Awaitable[int]]]]:
    """A client of uvicorn's, once it answers, and how to stop it as an init system does."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        # It hashes in its event loop, and would close idle connections whose next request it has not seen yet.
        *(sys.executable, "-m", "uvicorn", "benchmarks.peers.textbook:app", f"--port={port}", "--log-level=critical"),
        "--timeout-keep-alive=600",
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": as_text(url)},
        stdin=subprocess.DEVNULL,
    )

    async def stop() -> int:
        process.terminate()
        return await process.wait()

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, limits=limits) as client:
        try:
            await _until_it_answers(client, process)
            yield client, stop
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _until_it_answers(client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/health/live")).status_code == 200:
                    return
            assert process.returncode is None
            await asyncio.sleep(0.05)
