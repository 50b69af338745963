"""Slow bodies: a client that sends too slowly does not keep its place for as long as it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.callers import add_session, add_user, bearer
from tests.problems import problem, problem_of

JSON = {"Content-Type": "application/json"}
ADA = json.dumps({"name": "Ada", "email": "ada@example.com", "password": "correct horse"}).encode()


async def trickle(content: bytes, seconds: float) -> AsyncIterator[bytes]:
    for place in range(len(content)):
        yield content[place : place + 1]
        await asyncio.sleep(seconds)


@pytest.mark.parametrize(("method", "path"), [("POST", "/users"), ("PATCH", "/users/1")])
async def test_a_body_that_trickles_is_not_waited_for(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    monkeypatch.setattr("app.http.request_body._GRACE", 0.2)

    async with asyncio.timeout(10):
        answer = await client.request(method, path, content=trickle(b"[" * 1_000, 0.02), headers=JSON)

    assert problem_of(answer) == problem(408, "request_timeout", "The body took too long to arrive")
    assert answer.headers["connection"] == "close"


async def test_a_body_may_take_the_longer_the_larger_it_is(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.http.request_body._GRACE", 0.2)
    monkeypatch.setattr("app.http.request_body._PACE", 10)

    answer = await client.post("/users", content=trickle(ADA, 0.01), headers=JSON)

    assert answer.status_code == 201


async def test_a_body_is_not_late_because_its_sender_was_looked_up_slowly(
    remote: httpx.AsyncClient, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.http.request_body._GRACE", 0.2)
    ada = await add_user(engine, "Ada")
    mine = bearer(await add_session(engine, ada))

    async with engine.execution_options(isolation_level="READ COMMITTED").connect() as other:
        await other.execute(text("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"))
        body = trickle(b'{"name": "Ada L."}', 0)
        changing = asyncio.create_task(remote.patch(f"/users/{ada}", content=body, headers=JSON | mine))
        await asyncio.sleep(0.4)
        await other.rollback()

    assert (await changing).json()["name"] == "Ada L."
