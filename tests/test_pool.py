"""The pool: opened under load, kept while it is in use, given back to the server afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import httpx
import msgspec
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from app import create_app
from app.database.pool import FRESH, Pool
from app.repository.reader import Reader, render
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of

_BACKEND = render(select(text("pg_backend_pid()")))

NOBODY = 1_000_000
"""No other test has so many users."""


@pytest.fixture
async def small(database: DatabaseUrl) -> AsyncIterator[tuple[httpx.AsyncClient, Reader, Pool]]:
    """A service with 2 connections and room for 4 more."""
    settings = Settings(
        database_url=database, db_pool_size=2, db_max_overflow=4, log_level="warning", db_pool_timeout=5
    )
    app = create_app(settings)
    async with app.lifespan():
        reader = cast("Any", app.dependencies["reader"]).dependency()
        transport = httpx.ASGITransport(app=cast("Any", app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client, reader, reader._engine.sync_engine.pool


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


async def pids(reader: Reader, *, at_once: int = 1) -> list[int]:
    """The backends that answer reads, at most one each."""
    found = await asyncio.gather(*(reader.records(_BACKEND, {}) for _ in range(at_once)))
    return [records[0][0] for records in found]


async def test_a_living_connection_that_has_rested_is_kept(small: tuple[httpx.AsyncClient, Reader, Pool]) -> None:
    client, reader, _ = small
    before = await pids(reader)

    await asyncio.sleep(FRESH + 0.1)
    after = await pids(reader)
    await asyncio.sleep(FRESH + 0.1)
    written = await client.delete("/users/0")

    assert after == before == await pids(reader)
    assert written.status_code == 404


async def test_a_connection_that_ages_while_it_is_judged_serves_nevertheless(
    small: tuple[httpx.AsyncClient, Reader, Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, *_ = small
    await client.get("/users")
    # Whoever looks twice sees a connection that was used a moment ago, and then one that was not.
    now = count(time.monotonic(), FRESH * 0.4)
    clock = SimpleNamespace(monotonic=lambda: next(now), time=time.time)
    monkeypatch.setattr("app.database.pool.time", clock)
    monkeypatch.setattr("app.database.hooks.time", clock)

    answers = [await client.get(f"/users?page={n}") for n in range(1, 20 + 1)]

    assert {answer.status_code for answer in answers} == {200}


async def test_overflow_is_kept_while_needed_and_closed_later(
    small: tuple[httpx.AsyncClient, Reader, Pool], engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _, pool = small
    before = await backends(engine)

    answers = await asyncio.gather(*(client.get(f"/users?page={n}") for n in range(1, 51)))

    assert {answer.status_code for answer in answers} == {200}
    assert (pool.checkedin(), pool.checkedout()) == (6, 0)
    await greenlet_spawn(pool.trim, 2)
    assert pool.checkedin() == 6
    monkeypatch.setattr("app.database.pool.TRIM_INTERVAL", 0)
    await greenlet_spawn(pool.trim, 2)
    assert pool.checkedin() == 2
    await asyncio.sleep(0.2)
    assert await backends(engine) - before <= 2
    assert (await client.get("/users")).status_code == 200


async def test_the_connections_used_last_survive_a_trim(
    small: tuple[httpx.AsyncClient, Reader, Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, reader, pool = small
    await pids(reader, at_once=6)
    hottest = set(await pids(reader, at_once=2))

    monkeypatch.setattr("app.database.pool.TRIM_INTERVAL", 0)
    await greenlet_spawn(pool.trim, 2)

    assert set(await pids(reader, at_once=2)) == hottest


async def test_reads_beyond_the_pool_take_turns(small: tuple[httpx.AsyncClient, Reader, Pool]) -> None:
    client, _, pool = small

    answers = await asyncio.gather(*(client.get(f"/users?page={n}") for n in range(1, 401)))

    assert {answer.status_code for answer in answers} == {200}
    assert pool.checkedout() == 0


async def test_whoever_gives_up_waiting_leaves_no_gap(small: tuple[httpx.AsyncClient, Reader, Pool]) -> None:
    client, _, pool = small
    taken = [await greenlet_spawn(pool.connect) for _ in range(6)]
    waiting = [asyncio.create_task(greenlet_spawn(pool.connect)) for _ in range(3)]
    await asyncio.sleep(0.01)

    waiting[0].cancel()
    taken.pop().close()
    waiting[1].cancel()
    taken.pop().close()

    (await waiting[2]).close()
    for connection in taken:
        connection.close()
    assert pool.checkedout() == pool.waiting == 0
    assert (await client.get("/users")).status_code == 200


async def test_what_comes_back_goes_to_whoever_has_waited_longest(
    small: tuple[httpx.AsyncClient, Reader, Pool],
) -> None:
    *_, pool = small
    taken = [await greenlet_spawn(pool.connect) for _ in range(6)]
    served: list[int] = []

    async def take(number: int) -> None:
        lent = await greenlet_spawn(pool.connect)
        served.append(number)
        await asyncio.sleep(0)
        lent.close()

    callers = []
    for number in range(12):
        callers.append(asyncio.create_task(take(number)))
        await asyncio.sleep(0)
        if number % 3 == 2 and taken:
            taken.pop().close()
    for connection in taken:
        connection.close()
    await asyncio.gather(*callers)

    assert served == list(range(12))


async def test_a_read_does_not_wait_for_a_hundred_writers(
    small: tuple[httpx.AsyncClient, Reader, Pool],
) -> None:
    client, *_ = small
    ended = asyncio.Event()
    written = 0

    async def write(writer: int) -> None:
        nonlocal written
        for number in count():
            if ended.is_set():
                return
            assert (await client.patch(f"/users/{NOBODY + writer}", json={"name": f"N{number}"})).status_code == 404
            written += 1

    writers = [asyncio.create_task(write(writer)) for writer in range(1, 101)]
    await asyncio.sleep(0.2)
    passed_by = []
    try:
        async with asyncio.timeout(20):
            for _ in range(5):
                before = written
                assert (await client.get("/users")).status_code == 200
                passed_by.append(written - before)
    finally:
        ended.set()
        await asyncio.gather(*writers)

    assert 0 < max(passed_by) < 50


async def test_writes_do_not_wait_for_a_hundred_readers(small: tuple[httpx.AsyncClient, Reader, Pool]) -> None:
    client, *_ = small
    ended = asyncio.Event()
    read = 0

    async def look(page: int) -> None:
        nonlocal read
        while not ended.is_set():
            assert (await client.get(f"/users?page={page}")).status_code == 200
            read += 1

    readers = [asyncio.create_task(look(page)) for page in range(1, 101)]
    await asyncio.sleep(0.2)
    passed_by = []
    try:
        async with asyncio.timeout(20):
            for number in range(5):
                before = read
                assert (await client.patch(f"/users/{NOBODY}", json={"name": f"N{number}"})).status_code == 404
                passed_by.append(read - before)
    finally:
        ended.set()
        await asyncio.gather(*readers)

    assert 0 < max(passed_by) < 50


async def test_a_connect_that_fails_lets_the_next_one_try(database: DatabaseUrl) -> None:
    refused = 3

    async def connect(**arguments: Any) -> Any:
        nonlocal refused
        await asyncio.sleep(0.01)
        if refused:
            refused -= 1
            raise ConnectionRefusedError
        return await (database.connect_args.get("async_creator_fn") or asyncpg.connect)(**arguments)

    url = msgspec.structs.replace(database, connect_args={**database.connect_args, "async_creator_fn": connect})
    app = create_app(Settings(database_url=url, db_pool_size=2, db_max_overflow=1, log_level="error"))
    async with app.lifespan(), client_of(app) as client:
        async with asyncio.timeout(5):
            answers = await asyncio.gather(*(client.delete(f"/users/{NOBODY + n}") for n in range(10)))

    assert sorted(answer.status_code for answer in answers) == [404] * 7 + [503] * 3
