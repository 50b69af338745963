"""Guesses: of many at once, over two processes and a pooler, as many as are allowed reach the hash."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.faults.postgres import PrivatePostgres
from tests.faults.services import ADA, service
from tests.faults.test_pgbouncer import pgbouncer

RIGHT = {"email": ADA["email"], "password": ADA["password"]}


@pytest.mark.parametrize("way", ["direct", "pooled"])
async def test_two_hundred_guesses_at_once_and_the_owner_beside_them(postgres: PrivatePostgres, way: str) -> None:
    async with AsyncExitStack() as stack:
        url = postgres.text
        if way == "pooled":
            port = await stack.enter_async_context(pgbouncer(postgres.port))
            url = f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres?prepared_statement_cache_size=0"
        running = await stack.enter_async_context(service(url, workers=2, ACCESS="token", DB_STATEMENT_TIMEOUT="20"))
        home = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        owner = await stack.enter_async_context(running.client(transport=home))
        stranger = await stack.enter_async_context(running.client())
        assert (await owner.post("/users", json=ADA)).status_code == 201
        assert (await owner.post("/sessions", json=RIGHT)).status_code == 201

        wrong = {**RIGHT, "password": "another horse"}
        *guesses, beside = await asyncio.gather(
            *(stranger.post("/sessions", json=wrong) for _ in range(200)), owner.post("/sessions", json=RIGHT)
        )

    assert Counter(answer.status_code for answer in guesses) == {401: 5, 429: 195}
    assert all(1 <= int(answer.headers["retry-after"]) <= 180 for answer in guesses if answer.status_code == 429)
    assert beside.status_code == 201
