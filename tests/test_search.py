"""Search: by trigrams where PostgreSQL has them, the same answers where it has not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.settings.database_url import DatabaseUrl
from tests.databases import empty_database, engine_of, migrate
from tests.people import add_people
from tests.test_counts import run
from tests.test_indexes import plan

FILL = (
    "INSERT INTO users (name, email, hashed_password)"
    " SELECT md5(i::text), md5((-i)::text) || '@example.com', 'x' FROM generate_series(1, 5000) i"
)


@pytest.fixture
async def with_trigrams(contrib: DatabaseUrl) -> AsyncIterator[DatabaseUrl]:
    async with empty_database(contrib) as url:
        await migrate(url)
        yield url


async def test_a_search_uses_the_index_where_there_is_one(with_trigrams: DatabaseUrl) -> None:
    engine = engine_of(with_trigrams)
    await run(engine, FILL, "VACUUM ANALYZE users")

    found = await plan(engine, "q=abcdef")

    await engine.dispose()
    assert "ix_users_trgm" in found
    assert "Seq Scan on users" not in found


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("ADA", ["Ada Lovelace", "Barada"]),
        ("lovelace", ["Ada Lovelace"]),
        ("EXAMPLE.org", ["Grace"]),
        ("100%", ["100% Grace"]),
        ("a_b", ["a_b"]),
        ("a\\b", ["a\\b"]),
        ("nobody", []),
    ],
)
async def test_a_search_finds_parts_of_names_and_addresses(
    client: httpx.AsyncClient, engine: AsyncEngine, part: str, names: list[str]
) -> None:
    await add_people(
        engine,
        ("Ada Lovelace", "al@example.com"),
        ("Barada", "b@example.com"),
        ("Grace", "grace@example.org"),
        ("100% Grace", "c@example.com"),
        ("1000 Grace", "d@example.com"),
        ("a_b", "e@example.com"),
        ("axb", "f@example.com"),
        ("a\\b", "g@example.com"),
    )

    answer = (await client.get("/users", params={"q": part})).json()

    assert [user["name"] for user in answer["items"]] == names
    assert answer["total"] == len(names)


@pytest.mark.parametrize(("part", "names"), [("李白", ["李白"]), ("ём", ["Артём"]), ("李白居", [])])
async def test_two_letters_are_enough_where_they_are_not_ascii(
    client: httpx.AsyncClient, engine: AsyncEngine, part: str, names: list[str]
) -> None:
    await add_people(engine, ("李白", "a@example.com"), ("Артём", "b@example.com"), ("白", "c@example.com"))

    found = (await client.get("/users", params={"q": part})).json()["items"]

    assert [user["name"] for user in found] == names
