"""The pool: opened under load, kept while it is in use, given back to the server afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from app import create_app
from app.database_url import DatabaseUrl
from app.pool import Pool
from app.reads import Reads
from app.settings import Settings


@pytest.fixture
async def small(database: DatabaseUrl) -> AsyncIterator[tuple[httpx.AsyncClient, Reads, Pool]]:
    """A service with 2 connections and room for 4 more."""
    settings = Settings(
        database_url=database, db_pool_size=2, db_max_overflow=4, log_level="warning", db_pool_timeout=5
    )
    app = create_app(settings)
    async with app.lifespan():
        reads = cast("Any", app.dependencies["reads"]).dependency()
        transport = httpx.ASGITransport(app=cast("Any", app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client, reads, reads._engine.sync_engine.pool


async def backends(engine: AsyncEngine) -> int:
    """Connections that services have open to this database."""
    async with engine.connect() as connection:
        found = await connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'litestar-users'"
            )
        )
        return int(found.scalar_one())


async def test_overflow_is_kept_while_needed_and_closed_later(
    small: tuple[httpx.AsyncClient, Reads, Pool], engine: AsyncEngine
) -> None:
    client, _, pool = small
    before = await backends(engine)

    answers = await asyncio.gather(*(client.get("/users") for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    assert (pool.checkedin(), pool.checkedout()) == (6, 0)
    await greenlet_spawn(pool.trim, 2)
    assert pool.checkedin() == 6
    await greenlet_spawn(pool.trim, 2)
    assert pool.checkedin() == 2
    await asyncio.sleep(0.2)
    assert await backends(engine) - before <= 2
    assert (await client.get("/users")).status_code == 200


async def test_reads_beyond_the_pool_take_turns(small: tuple[httpx.AsyncClient, Reads, Pool]) -> None:
    client, _, pool = small

    answers = await asyncio.gather(*(client.get("/users") for _ in range(400)))

    assert {answer.status_code for answer in answers} == {200}
    assert pool.checkedout() == 0


async def test_whoever_gives_up_waiting_leaves_no_gap(small: tuple[httpx.AsyncClient, Reads, Pool]) -> None:
    client, _, pool = small
    lent = [await pool.lend() for _ in range(6)]
    waiting = [asyncio.create_task(pool.lend()) for _ in range(3)]
    await asyncio.sleep(0)

    waiting[0].cancel()
    lent.pop().close()
    waiting[1].cancel()
    lent.pop().close()

    (await waiting[2]).close()
    for connection in lent:
        connection.close()
    assert pool.checkedout() == 0
    assert (await client.get("/users")).status_code == 200


async def test_readers_and_writers_share_fairly(small: tuple[httpx.AsyncClient, Reads, Pool]) -> None:
    client, _, pool = small

    developers = [
        client.post("/developers", json={"name": "D", "email": f"d{n}@example.com", "specialty": "pool"})
        for n in range(40)
    ]
    answers = await asyncio.gather(*developers, *(client.get("/users") for _ in range(200)))

    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert pool.checkedout() == 0
