"""Repeats that meet: whoever comes while the first is being done waits for it, and is not held up for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.problems import problem, problem_of
from tests.test_repeats import is_replayed, send, told

IN_PROGRESS = problem(
    409, "request_in_progress", "A request with this Idempotency-Key is being processed; send it again in a moment"
)
CLAIM = text(
    "INSERT INTO idempotency_keys (digest, fingerprint, expires_at) SELECT digest, fingerprint, expires_at FROM kept"
)


COMMIT = text("UPDATE idempotency_keys SET status = 201, location = '/users/7', body = '{}'")


@pytest.fixture
async def elsewhere(client: httpx.AsyncClient, engine: AsyncEngine) -> AsyncIterator[Any]:
    """A connection that has claimed ada's key, as another worker would, and is not done."""
    await send(client)
    async with engine.execution_options(isolation_level="READ COMMITTED").connect() as other:
        await other.execute(text("CREATE TEMP TABLE kept AS SELECT * FROM idempotency_keys"))
        await other.execute(text("DELETE FROM users"))
        await other.commit()
        await other.execute(CLAIM)
        yield other
        await other.rollback()
        await other.execute(text("DROP TABLE kept"))
        await other.commit()


async def test_whoever_waits_for_two_seconds_is_told_to_come_again(client: httpx.AsyncClient, elsewhere: Any) -> None:
    began = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(send(client) for _ in range(3)))
    took = asyncio.get_running_loop().time() - began

    assert [problem_of(answer) for answer in answers] == [IN_PROGRESS] * 3
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
    assert 1.9 < took < 2.4


async def test_where_the_first_rolls_back_the_second_runs_itself(client: httpx.AsyncClient, elsewhere: Any) -> None:
    asking = asyncio.create_task(send(client))
    await until_locked(elsewhere)
    await elsewhere.rollback()
    answer = await asking

    assert (answer.status_code, is_replayed(answer)) == (201, False)


async def test_where_the_first_commits_the_second_is_answered_as_it_was(
    client: httpx.AsyncClient, elsewhere: Any
) -> None:
    asking = asyncio.create_task(send(client))
    await until_locked(elsewhere)
    await elsewhere.execute(COMMIT)
    await elsewhere.commit()
    answer = await asking

    assert (told(answer)[:3], is_replayed(answer)) == ((201, b"{}", "/users/7"), True)


async def until_locked(connection: Any) -> None:
    """Wait until somebody waits for a connection's transaction."""
    waiting = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::text::xid"
    )
    async with asyncio.timeout(5):
        while not await connection.scalar(waiting):
            await asyncio.sleep(0.01)


async def test_a_lock_on_what_is_written_is_no_repeat(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    """The limit of the claim is not that of what follows."""
    async with engine.execution_options(isolation_level="READ COMMITTED").connect() as other:
        await other.execute(text("LOCK TABLE users IN SHARE MODE"))
        asking = asyncio.create_task(send(client))
        done, _ = await asyncio.wait([asking], timeout=2.5)
        await other.rollback()

    assert not done
    assert (await asking).status_code == 201


async def test_two_waits_in_a_row_are_no_longer_than_one(client: httpx.AsyncClient, elsewhere: Any) -> None:
    """First for the table, then for the key: the server counts each of them anew."""
    await elsewhere.execute(text("SAVEPOINT before"))
    await elsewhere.execute(text("LOCK TABLE idempotency_keys IN SHARE MODE"))
    began = asyncio.get_running_loop().time()
    asking = asyncio.create_task(send(client))
    await asyncio.wait([asking], timeout=1.2)
    await elsewhere.execute(text("ROLLBACK TO SAVEPOINT before"))
    await until_locked(elsewhere)
    answer = await asking
    took = asyncio.get_running_loop().time() - began
    await elsewhere.rollback()
    again = await send(client)

    assert problem_of(answer) == IN_PROGRESS
    assert 1.9 < took < 2.8
    assert (again.status_code, is_replayed(again)) == (201, False)


async def test_a_repeat_that_is_given_up_takes_nobody_along(client: httpx.AsyncClient, elsewhere: Any) -> None:
    first = asyncio.create_task(send(client))
    await until_locked(elsewhere)
    leaving, staying = (asyncio.create_task(send(client)) for _ in range(2))
    await until_waiting()
    leaving.cancel()
    await asyncio.wait([leaving])
    await elsewhere.rollback()

    assert leaving.cancelled()
    assert (is_replayed(await first), told(await first)) == (False, told(await staying))
    assert is_replayed(await staying)


async def test_where_the_first_is_given_up_the_next_runs_itself(client: httpx.AsyncClient, elsewhere: Any) -> None:
    first = asyncio.create_task(send(client))
    await until_locked(elsewhere)
    others = [asyncio.create_task(send(client)) for _ in range(3)]
    await until_waiting()
    first.cancel()
    await elsewhere.rollback()
    answers = await asyncio.gather(*others)

    assert {answer.status_code for answer in answers} == {201}
    assert sorted(map(is_replayed, answers)) == [False, True, True]
    assert len({told(answer) for answer in answers}) == 1


async def until_waiting() -> None:
    """Give those who wait for nothing but another request as many turns as they need to come there."""
    for _ in range(200):
        await asyncio.sleep(0)


@asynccontextmanager
async def service_with(database: DatabaseUrl, **session: str) -> AsyncIterator[httpx.AsyncClient]:
    """A service whose sessions begin with these settings."""
    url = msgspec.structs.replace(database, connect_args={**database.connect_args, "server_settings": session})
    app = create_app(Settings(database_url=url, log_format="json", log_level="error"))
    async with app.lifespan(), client_of(app) as client:
        yield client


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_where_a_snapshot_hides_the_first_it_is_found(elsewhere: Any, database: DatabaseUrl, level: str) -> None:
    async with service_with(database, default_transaction_isolation=level) as client:
        asking = asyncio.create_task(send(client))
        await until_locked(elsewhere)
        await elsewhere.execute(COMMIT)
        await elsewhere.commit()
        answer = await asking

    assert (told(answer)[:3], is_replayed(answer)) == ((201, b"{}", "/users/7"), True)


async def test_a_database_that_takes_no_writes_knows_what_was_done(
    client: httpx.AsyncClient, database: DatabaseUrl
) -> None:
    first = await send(client)
    async with service_with(database, default_transaction_read_only="on") as standby:
        again = await send(standby)
        new = await send(standby, key="another-random-key")

    assert (told(again), is_replayed(again)) == (told(first), True)
    assert (new.status_code, new.json()["code"]) == (503, "read_only")
