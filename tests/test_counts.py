"""Totals: exact whatever happened, though nobody counts."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.test_users import sign_up

ADD = "INSERT INTO users (name, email, hashed_password) SELECT 'n', 'u' || i || '@example.com', 'x'"


async def total(client: httpx.AsyncClient) -> int:
    page = (await client.get("/users", params={"size": 1})).json()
    return int(page["total"])


async def run(engine: AsyncEngine, *statements: str) -> None:
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_an_empty_table_has_a_total_of_nought(client: httpx.AsyncClient) -> None:
    page = await client.get("/users")

    assert page.json() == {"items": [], "total": 0, "page": 1, "size": 20, "pages": 0}


async def test_sign_ups_and_deletions_are_counted(client: httpx.AsyncClient) -> None:
    await sign_up(client, email="a@example.com")
    await sign_up(client, email="b@example.com")
    await client.delete("/users/1")

    assert await total(client) == 1


async def test_a_conflict_is_not_counted(client: httpx.AsyncClient) -> None:
    await sign_up(client)
    await sign_up(client)

    assert await total(client) == 1


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ((f"{ADD} FROM generate_series(1, 500) i",), 500),
        ((f"{ADD} FROM generate_series(1, 500) i", "DELETE FROM users WHERE id % 2 = 0"), 250),
        ((f"{ADD} FROM generate_series(1, 9) i", "UPDATE users SET name = 'm'"), 9),
        ((f"{ADD} FROM generate_series(1, 9) i", "TRUNCATE users CASCADE"), 0),
        ((f"{ADD} FROM generate_series(1, 9) i", "TRUNCATE users CASCADE", f"{ADD} FROM generate_series(1, 4) i"), 4),
        ((f"{ADD} FROM generate_series(1, 9) i", f"{ADD} FROM generate_series(5, 12) i ON CONFLICT DO NOTHING"), 12),
        (
            (
                f"{ADD} FROM generate_series(1, 9) i",
                f"{ADD} FROM generate_series(5, 12) i ON CONFLICT (address_key(email)) DO UPDATE SET name = 'm'",
            ),
            12,
        ),
    ],
)
async def test_statements_of_many_rows_are_counted(
    client: httpx.AsyncClient, engine: AsyncEngine, statements: tuple[str, ...], expected: int
) -> None:
    await run(engine, *statements)

    assert await total(client) == expected


async def test_what_is_rolled_back_was_never_counted(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await run(engine, f"{ADD} FROM generate_series(1, 5) i")
    async with engine.execution_options(isolation_level="READ COMMITTED").connect() as connection:
        await connection.execute(text("DELETE FROM users"))
        await connection.execute(text(f"{ADD} FROM generate_series(10, 99) i"))
        await connection.rollback()

    assert await total(client) == 5


async def test_concurrent_writers_are_counted_exactly(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    async def write(writer: int) -> None:
        async with engine.connect() as connection:
            for n in range(20):
                row = {"email": f"w{writer}-{n}@example.com"}
                await connection.execute(
                    text("INSERT INTO users (name, email, hashed_password) VALUES ('n', :email, 'x')"), row
                )
                if n % 3 == 0:
                    await connection.execute(text("DELETE FROM users WHERE email = :email"), row)

    await asyncio.gather(*(write(writer) for writer in range(8)))

    assert await total(client) == 8 * 13


async def test_a_filter_counts_what_it_leaves(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await run(engine, f"{ADD} FROM generate_series(1, 30) i")

    page = (await client.get("/users", params={"email": "U7@Example.com"})).json()

    assert (page["total"], page["pages"], [user["email"] for user in page["items"]]) == (1, 1, ["u7@example.com"])
