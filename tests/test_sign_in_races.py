"""Races with a sign-in: whoever may not be in any more is not, in whatever order the two come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import bcrypt
import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.callers import PASSWORD, add_session, add_user, bearer

Answering = Coroutine[Any, Any, httpx.Response]
Queue = Callable[[Answering], Coroutine[Any, Any, "asyncio.Task[httpx.Response]"]]
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


@asynccontextmanager
async def queue_at(engine: AsyncEngine, user_id: int) -> AsyncIterator[Queue]:
    """Have requests wait for the row of a user, one behind the other."""
    asked: list[asyncio.Task[httpx.Response]] = []

    async with (
        engine.execution_options(isolation_level="READ COMMITTED").connect() as holder,
        engine.connect() as watcher,
    ):

        async def wait(answering: Answering) -> asyncio.Task[httpx.Response]:
            asked.append(task := asyncio.create_task(answering))
            while await watcher.scalar(WAITING) != len(asked):
                assert not task.done()
                await asyncio.sleep(0.01)
            return task

        await holder.execute(text(f"SELECT FROM users WHERE id = {user_id} FOR UPDATE"))
        yield wait
        await holder.rollback()
        await asyncio.gather(*asked)


def signing_in(client: httpx.AsyncClient) -> Answering:
    return client.post("/sessions", json={"email": "ada@example.com", "password": PASSWORD})


ENDINGS: dict[str, Callable[[httpx.AsyncClient], Answering]] = {
    "deleted": lambda client: client.delete("/users/1"),
    "deactivated": lambda client: client.patch("/users/1/account", json={"active": False}),
    "changed": lambda client: client.put("/users/1/password", json={"new_password": "battery staple"}),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
async def test_whose_account_ends_behind_a_sign_in_is_out(
    remote: httpx.AsyncClient, client: httpx.AsyncClient, engine: AsyncEngine, ending: Callable[..., Answering]
) -> None:
    await add_user(engine, "Ada")

    async with queue_at(engine, 1) as wait:
        signed_in, ended = await wait(signing_in(remote)), await wait(ending(client))
    token = signed_in.result().json()["token"]

    assert ended.result().is_success
    assert (await remote.get("/users/me", headers=bearer(token))).status_code == 401


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
async def test_whose_account_ends_before_a_sign_in_does_not_come_in(
    remote: httpx.AsyncClient, client: httpx.AsyncClient, engine: AsyncEngine, ending: Callable[..., Answering]
) -> None:
    await add_user(engine, "Ada")

    async with queue_at(engine, 1) as wait:
        ended, refused = await wait(ending(client)), await wait(signing_in(remote))

    assert (ended.result().is_success, refused.result().status_code) == (True, 401)


async def test_a_password_is_set_behind_a_sign_in_that_renews_the_hash(
    remote: httpx.AsyncClient, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await add_user(engine, "Ada", hashed=bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())

    async with queue_at(engine, 1) as wait:
        await wait(signing_in(remote))
        changed = await wait(ENDINGS["changed"](client))

    assert (changed.result().status_code, (await signing_in(remote)).status_code) == (204, 401)


async def test_two_who_sign_in_at_the_limit_leave_as_many_sessions_as_there_may_be(
    remote: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    ada = await add_user(engine, "Ada")
    for _ in range(49):
        await add_session(engine, ada)

    async with queue_at(engine, 1) as wait:
        both = [await wait(signing_in(remote)) for _ in range(2)]

    statuses = [
        (await remote.get("/users/me", headers=bearer(one.result().json()["token"]))).status_code for one in both
    ]
    async with engine.connect() as connection:
        kept = list(await connection.scalars(text("SELECT id FROM sessions ORDER BY id")))
    assert (statuses, kept) == ([200, 200], [*range(2, 52)])
