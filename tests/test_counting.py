"""Counting: exact beside whatever others do, and nobody waits for anybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.settings.database_url import DatabaseUrl
from tests.test_counts import ADD, total
from tests.test_users import sign_up

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
INSERT = text("INSERT INTO users (name, email, hashed_password) VALUES ('n', :email, 'x')")
COUNTERS = text("SELECT slot FROM row_counts WHERE table_name = 'users'")
EXACT = text("SELECT (SELECT count(*) FROM users) - (SELECT sum(total) FROM row_counts WHERE table_name = 'users')")


@pytest.fixture
async def others(client: httpx.AsyncClient, database: DatabaseUrl) -> AsyncIterator[AsyncEngine]:
    """Any number of connections of somebody else's, none of which waits for a lock."""
    arguments = {**database.connect_args, "server_settings": {"lock_timeout": "1000"}}
    engine = create_async_engine(database.url, connect_args=arguments, poolclass=NullPool)
    yield engine
    await engine.dispose()


@asynccontextmanager
async def forgotten(others: AsyncEngine, count: int) -> AsyncIterator[None]:
    """Transactions that inserted a user each and stay open."""
    async with AsyncExitStack() as stack:
        for n in range(count):
            connection = await stack.enter_async_context(others.connect())
            await connection.execute(INSERT, {"email": f"forgotten{n}@example.com"})
        yield


async def test_forgotten_transactions_hold_up_no_sign_up(client: httpx.AsyncClient, others: AsyncEngine) -> None:
    async with forgotten(others, 16):
        answers = await asyncio.gather(*(sign_up(client, email=f"u{n}@example.com") for n in range(20)))

    assert [answer.status_code for answer in answers] == [201] * 20
    assert await total(client) == 20


async def test_they_hold_up_no_load(others: AsyncEngine) -> None:
    async def load(n: int) -> None:
        async with others.begin() as connection:
            await connection.execute(text(f"{ADD} FROM generate_series({n * 100 + 1}, {n * 100 + 100}) i"))

    async with forgotten(others, 16), asyncio.timeout(20):
        await asyncio.gather(*(load(n) for n in range(32)))
        async with others.begin() as connection:
            assert (await connection.scalar(EXACT), len((await connection.execute(COUNTERS)).all()) < 40) == (0, True)


async def test_one_that_is_forgotten_at_a_stronger_level_holds_up_nobody_either(others: AsyncEngine) -> None:
    for level in LEVELS[1:]:
        async with forgotten(others.execution_options(isolation_level=level), 16), others.begin() as connection:
            await connection.execute(INSERT, {"email": f"{level}@example.com".replace(" ", "")})


async def work(others: AsyncEngine, worker: int, level: str) -> int:
    """Insert, delete and roll back at random; how many transactions were refused."""
    dice, refused = Random(worker), 0
    engine = others.execution_options(isolation_level=level)
    async with engine.connect() as connection:
        for n in range(25):
            try:
                first = (worker * 25 + n) * 10
                await connection.execute(text(f"{ADD} FROM generate_series({first}, {first + dice.randrange(9)}) i"))
                inner = await connection.begin_nested()
                await connection.execute(
                    text("DELETE FROM users WHERE email = :email"), {"email": f"u{first}@example.com"}
                )
                await (inner.rollback() if dice.random() < 0.3 else inner.commit())
                await (connection.rollback() if dice.random() < 0.2 else connection.commit())
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != "40001":
                    raise  # A deadlock, or a wait that was too long.
                refused += 1
                await connection.rollback()
    return refused


@pytest.mark.parametrize("levels", [[level] for level in LEVELS] + [LEVELS])
async def test_totals_are_exact_at_every_moment(
    client: httpx.AsyncClient, others: AsyncEngine, levels: list[str]
) -> None:
    workers = asyncio.gather(*(work(others, n, levels[n % len(levels)]) for n in range(6)))

    drifts: set[Any] = set()
    async with others.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        while not workers.done():
            drifts.add(await connection.scalar(EXACT))
        drifts.add(await connection.scalar(EXACT))

    refused = await workers
    assert drifts - {None} == {0}
    assert "SERIALIZABLE" in levels or not any(refused)


async def test_a_long_transaction_at_a_stronger_level_has_one_counter(others: AsyncEngine) -> None:
    async with others.execution_options(isolation_level="REPEATABLE READ").begin() as connection:
        for n in range(20):
            await connection.execute(INSERT, {"email": f"u{n}@example.com"})

    async with others.connect() as connection:
        assert len((await connection.execute(COUNTERS)).all()) == 1


async def test_what_is_beyond_the_sixteen_counters_is_taken_in(client: httpx.AsyncClient, others: AsyncEngine) -> None:
    async with forgotten(others, 20):
        pass
    serializable = others.execution_options(isolation_level="SERIALIZABLE")
    for n in range(3):
        async with serializable.begin() as connection:
            await connection.execute(INSERT, {"email": f"u{n}@example.com"})

    inserted = 0
    async with others.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        while any(not 0 <= slot < 16 for slot in (await connection.execute(COUNTERS)).scalars()):
            await connection.execute(INSERT, {"email": f"v{(inserted := inserted + 1)}@example.com"})

    assert await total(client) == 3 + inserted
