"""Company: lists that are asked for together are read together, and nobody is worse off for it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app import create_app
from app.repository.reader import Reader
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.people import add_crowd
from tests.test_cursors import ORDERS


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL of all reads."""
    seen: list[str] = []
    records = Reader.records

    async def noted(reader: Reader, read: Any, values: Any) -> Any:
        seen.append(read.sql)
        return await records(reader, read, values)

    monkeypatch.setattr(Reader, "records", noted)
    return seen


async def test_what_is_asked_in_the_same_words_is_read_once(
    client: httpx.AsyncClient, engine: AsyncEngine, statements: list[str]
) -> None:
    await add_crowd(engine, 30)
    query = "/users?size=10&sort=-name&page=2"
    alone = await client.get(query)
    statements.clear()

    answers = await asyncio.gather(*(client.get(query) for _ in range(40)))

    assert {answer.content for answer in answers} == {alone.content}
    assert {answer.headers["link"] for answer in answers} == {alone.headers["link"]}
    assert len({answer.headers["x-request-id"] for answer in answers}) == 40
    assert len(statements) <= 4


@pytest.mark.parametrize("sort", ORDERS)
async def test_cursors_that_travel_together_lead_where_they_lead_alone(
    client: httpx.AsyncClient, engine: AsyncEngine, statements: list[str], sort: str
) -> None:
    await add_crowd(engine, 40)
    cursors, alone = [""], []
    for cursor in cursors:
        alone.append((await client.get("/users", params={"sort": sort, "size": 3, "cursor": cursor})).json())
        cursors += [alone[-1]["next_cursor"]] if alone[-1]["next_cursor"] else []
    # Nobody is after the last one.
    async with engine.connect() as connection:
        await connection.execute(text("DELETE FROM users WHERE id = :id"), {"id": alone.pop()["items"][-1]["id"]})
    statements.clear()

    answers = await asyncio.gather(
        *(client.get("/users", params={"sort": sort, "size": 3, "cursor": cursor}) for cursor in cursors[:-1])
    )

    assert [answer.json()["items"] for answer in answers] == [page["items"] for page in alone]
    assert [answer.json()["next_cursor"] for answer in answers[:-1]] == [page["next_cursor"] for page in alone[:-1]]
    assert answers[-1].json()["next_cursor"] is None
    is_indexed = sort in ("id", "-id", "name", "-name", "email", "-created_at")
    assert len(statements) < len(cursors) / 2 if is_indexed else len(statements) == len(cursors) - 1


@pytest.mark.parametrize("path", ["/users?size=4", "/users?size=4&cursor={cursor}"])
async def test_a_list_after_an_acknowledged_write_shows_it(
    client: httpx.AsyncClient, engine: AsyncEngine, path: str
) -> None:
    await add_crowd(engine, 6)
    path = path.format(cursor=(await client.get("/users?size=1&cursor=")).json()["next_cursor"])
    ended = asyncio.Event()
    stale = 0

    async def read() -> None:
        while not ended.is_set():
            await client.get(path)

    async def write_and_read(user: int) -> None:
        nonlocal stale
        for number in range(40):
            await client.patch(f"/users/{user}", json={"name": f"{number}"})
            seen = {item["id"]: item["name"] for item in (await client.get(path)).json()["items"]}
            stale += seen[user] != f"{number}"

    readers = [asyncio.create_task(read()) for _ in range(6)]
    await asyncio.gather(*(write_and_read(user) for user in (2, 3, 4)))
    ended.set()
    await asyncio.gather(*readers)

    assert stale == 0


async def test_each_has_its_own_limit_and_its_own_error_while_a_table_is_locked(
    database: DatabaseUrl, engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await add_crowd(engine, 30)
    settings = Settings(database_url=database, db_pool_size=2, db_pool_timeout=0.5, db_statement_timeout=0.5)
    app = create_app(settings)

    async def timed(path: str, delay: float) -> tuple[int, float, str]:
        await asyncio.sleep(delay)
        began = time.monotonic()
        answer = await service.get(path)
        return answer.status_code, time.monotonic() - began, answer.headers["x-request-id"]

    async with app.lifespan(), client_of(app) as service, engine.connect() as connection:
        cursor = (await service.get("/users?size=1&cursor=")).json()["next_cursor"]
        await connection.execute(text("BEGIN"))
        await connection.execute(text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
        paths = ["/users/1", "/users/2", "/users", f"/users?cursor={cursor}"]
        held = await asyncio.gather(*(timed(path, n / 20) for n in range(12) for path in paths))
        await connection.execute(text("ROLLBACK"))
        freed = [await timed(path, 0) for path in paths]

    assert {status for status, *_ in held} == {503}
    # A wait for a connection, a statement, and some slack for a busy machine.
    assert max(seconds for _, seconds, _ in held) < 0.5 + 0.5 + 1
    assert len({request_id for *_, request_id in held}) == 48
    assert [status for status, *_ in freed] == [200] * 4


async def test_whoever_leaves_takes_nobody_along(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_crowd(engine, 30)
    cursors = [(await client.get(f"/users?size={n}&cursor=")).json()["next_cursor"] for n in range(1, 9)]
    paths = ["/users", *(f"/users?cursor={cursor}" for cursor in cursors)] * 4

    asking = [asyncio.create_task(client.get(path)) for path in paths]
    for turn, leaving in enumerate(asking[::3]):
        if turn % 4 == 0:
            await asyncio.sleep(0)
        leaving.cancel()
    answers = await asyncio.gather(*asking, return_exceptions=True)

    stayed = [answer for n, answer in enumerate(answers) if n % 3]
    assert [answer.status_code for answer in stayed if isinstance(answer, httpx.Response)] == [200] * len(stayed)
    assert (await client.get("/users")).json()["total"] == 30
