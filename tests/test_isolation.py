"""Isolation: with the function of docs/isolation.md what READ COMMITTED lets through is refused, and run again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app import create_app
from app.database.engine import ROOT, configure_database
from app.http.exception_handlers import to_problem
from app.resources.users.model import User
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.callers import add_user
from tests.clients import client_of
from tests.test_sign_in_races import queue_at
from tests.test_users import sign_up

LEAD = "lead"
_guide: dict[str, Any] = {}
exec(re.findall(r"```python\n(.*?)```", (ROOT / "docs/isolation.md").read_text(), re.DOTALL)[0], _guide)
run_isolated = _guide["run_isolated"]
ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
async def service_engine(client: httpx.AsyncClient, database: DatabaseUrl) -> AsyncIterator[AsyncEngine]:
    """The service's own engine, on a database with two who lead, as their names say."""
    for email in (ANN, BOB):
        await sign_up(client, name=LEAD, email=email)
    engine = configure_database(Settings(database_url=database)).get_engine()
    yield engine
    await engine.dispose()


class StepDown:
    """Stops leading while another still does: right alone, wrong when two do it at once (write skew)."""

    def __init__(self, together: asyncio.Barrier) -> None:
        self.together = together
        self.runs = 0

    async def __call__(self, session: AsyncSession, email: str) -> bool:
        self.runs += 1
        leads = await session.scalar(select(func.count()).where(User.name == LEAD))
        if self.runs <= 2:
            # Both have looked before either writes.
            await self.together.wait()
        if leads == 1:
            return False
        user = (await session.scalars(select(User).where(User.email == email))).one()
        user.name = "none"
        await session.flush()
        return True


async def step_down(engine: AsyncEngine, level: str) -> tuple[list[bool], int]:
    """Who could, and how often was it tried, when both try at once?"""
    step = StepDown(asyncio.Barrier(2))
    done = await asyncio.gather(
        *(run_isolated(engine, partial(step, email=email), level=level) for email in (ANN, BOB))
    )
    return sorted(done), step.runs


async def leads(client: httpx.AsyncClient) -> int:
    return int((await client.get("/users", params={"name": LEAD})).json()["total"])


async def test_read_committed_lets_both_step_down(client: httpx.AsyncClient, service_engine: AsyncEngine) -> None:
    assert await step_down(service_engine, "READ COMMITTED") == ([True, True], 2)
    assert await leads(client) == 0


async def test_serializable_lets_one_try_again_and_find_itself_alone(
    client: httpx.AsyncClient, service_engine: AsyncEngine
) -> None:
    done, runs = await step_down(service_engine, "SERIALIZABLE")

    assert (done, runs) == ([False, True], 3)
    assert await leads(client) == 1


async def test_a_deadlock_is_tried_again(client: httpx.AsyncClient, service_engine: AsyncEngine) -> None:
    together = asyncio.Barrier(2)
    runs = 0

    async def lock(session: AsyncSession, first: int, second: int) -> None:
        nonlocal runs
        runs += 1
        await session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
        await session.get(User, first, with_for_update=True)
        if runs <= 2:
            await together.wait()
        await session.get(User, second, with_for_update=True)

    await asyncio.gather(
        run_isolated(service_engine, lambda session: lock(session, 1, 2), level="READ COMMITTED"),
        run_isolated(service_engine, lambda session: lock(session, 2, 1), level="READ COMMITTED"),
    )

    # On a busy machine each of them may find the deadlock.
    assert runs in (3, 4)


@pytest.mark.parametrize(("state", "runs"), [("40001", 3), ("40P01", 3), ("22012", 1)])
async def test_attempts_are_bounded_and_only_conflicts_are_tried_again(
    service_engine: AsyncEngine, state: str, runs: int
) -> None:
    seen = 0

    async def fail(session: AsyncSession) -> None:
        nonlocal seen
        seen += 1
        await session.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"))

    with pytest.raises(DBAPIError) as caught:
        await run_isolated(service_engine, fail, attempts=3)

    assert seen == runs
    assert to_problem(caught.value).status == (503 if state.startswith("40") else 500)


async def test_a_table_that_changed_is_only_another_attempt(service_engine: AsyncEngine) -> None:
    async def change(to: str) -> None:
        async with service_engine.begin() as connection:
            await connection.exec_driver_sql(to)

    async def read(session: AsyncSession) -> object:
        return await session.scalar(text("SELECT value FROM changing"))

    await change("CREATE TABLE changing AS SELECT 1 AS value")
    found = [await run_isolated(service_engine, read)]
    await change("DO $$ BEGIN ALTER TABLE changing ALTER value TYPE text; END $$")
    found.append(await run_isolated(service_engine, read))
    await change("DROP TABLE changing")

    assert found == [1, "1"]


async def test_the_level_ends_with_the_work(service_engine: AsyncEngine) -> None:
    async def level(session: AsyncSession) -> str:
        return str(await session.scalar(text("SHOW transaction_isolation")))

    found = [await run_isolated(service_engine, level, level=name) for name in ("REPEATABLE READ", "SERIALIZABLE")]
    async with AsyncSession(service_engine) as session:
        found.append(await level(session))

    assert found == ["repeatable read", "serializable", "read committed"]


@pytest.mark.parametrize("default", ["repeatable read", "serializable"])
async def test_requests_run_at_read_committed_whatever_the_database_does_by_itself(
    client: httpx.AsyncClient, engine: AsyncEngine, database: DatabaseUrl, default: str
) -> None:
    stricter = {"server_settings": {"default_transaction_isolation": default}}
    strict = msgspec.structs.replace(database, connect_args={**database.connect_args, **stricter})
    app = create_app(Settings(database_url=strict, throttle=False, log_format="json", log_level="error"))
    await add_user(engine, "Ada")

    async with app.lifespan(), client_of(app) as caller, queue_at(engine, 1) as wait:
        answers = [await wait(caller.patch("/users/1", json={"name": name})) for name in ("Ada L.", "Ada King")]

    assert [answer.result().status_code for answer in answers] == [200, 200]
