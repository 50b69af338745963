"""Indexes: every order and every filter of a list has one that PostgreSQL uses."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.http.pagination import parse_query
from app.resources.users.repository import users
from app.resources.users.schemas import UserQuery
from tests.test_counts import run

FILL = (
    "INSERT INTO users (name, email, hashed_password, created_at)"
    " SELECT 'name ' || i, 'u' || i || '@example.com', 'x', timestamptz '2026-01-01Z' + i * interval '1 minute'"
    " FROM generate_series(1, 20000) i"
)


@pytest.fixture
async def filled(client: httpx.AsyncClient, engine: AsyncEngine) -> AsyncEngine:
    await run(engine, FILL, "VACUUM ANALYZE users")
    return engine


async def plan(engine: AsyncEngine, query_string: str, *, many: bool = False) -> str:
    """What PostgreSQL does for a query, whatever the values: the plan that a prepared statement ends up with.

    `many` is for many cursors at once.
    """
    asked = users.prepare(parse_query(UserQuery, query_string.encode()))
    rendered, cursor = (asked.many, [[value] * 16 for value in asked.cursor]) if many else (asked.one, asked.cursor)
    assert rendered is not None
    values = {**asked.values, **dict(zip(asked.names, cursor, strict=False))}
    arguments = [values.get(name, default) for name, default in rendered.parameters]
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.execute("SET plan_cache_mode = force_generic_plan")
        rows = await raw.fetch(f"EXPLAIN {rendered.sql}", *arguments)
        await raw.execute("RESET plan_cache_mode")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize(
    ("query_string", "index"),
    [
        ("", "pk_users"),
        ("sort=-id", "pk_users"),
        ("sort=name", "ix_users_name"),
        ("sort=-name", "ix_users_name"),
        ("sort=email", "ix_users_email"),
        ("sort=created_at", "ix_users_created_at"),
        ("sort=-created_at", "ix_users_created_at"),
        ("email=U7@example.com", "ix_users_email"),
        ("name=name 7", "ix_users_name"),
        ("created_after=2026-01-02T00:00:00Z&created_before=2026-01-02T01:00:00Z", "ix_users_created_at"),
        ("page=500", "pk_users"),
        ("page=500&sort=name", "ix_users_name"),
        ("page=500&sort=-created_at", "ix_users_created_at"),
        ("cursor=", "pk_users"),
        ("cursor=&sort=-name", "ix_users_name"),
    ],
)
async def test_a_list_is_found_by_an_index(filled: AsyncEngine, query_string: str, index: str) -> None:
    found = await plan(filled, query_string)

    assert index in found
    assert "Seq Scan on users" not in found


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-created_at", "email"])
async def test_the_next_page_is_found_by_an_index(client: httpx.AsyncClient, filled: AsyncEngine, sort: str) -> None:
    cursor = (await client.get("/users", params={"cursor": "", "sort": sort})).json()["next_cursor"]

    for many in (False, True):
        found = await plan(filled, f"cursor={cursor}&sort={sort}", many=many)

        assert "Index" in found
        assert "Seq Scan on users" not in found
        # Those of many cursors are sorted once more at the end, where they are few.
        assert found.count("Sort Key") <= found.count("Incremental Sort") + many


@pytest.mark.parametrize(("page", "first"), [(400, 7981), (600, 11981), (999, 19961), (1000, 19981)])
async def test_a_deep_page_holds_the_rows_of_its_number(
    client: httpx.AsyncClient, filled: AsyncEngine, page: int, first: int
) -> None:
    answer = (await client.get("/users", params={"page": page})).json()

    assert [user["id"] for user in answer["items"]] == list(range(first, first + 20))
    assert (answer["total"], answer["pages"]) == (20_000, 1_000)


@pytest.mark.parametrize("page", [1001, 10**6, 2**62, 2**63, 10**30])
async def test_a_page_past_the_end_is_empty_and_knows_the_total(
    client: httpx.AsyncClient, filled: AsyncEngine, page: int
) -> None:
    answer = await client.get("/users", params={"page": page})

    assert answer.json() == {"items": [], "total": 20_000, "page": page, "size": 20, "pages": 1_000}


async def test_the_last_page_may_be_short(client: httpx.AsyncClient, filled: AsyncEngine) -> None:
    answer = (await client.get("/users", params={"page": 207, "size": 97, "sort": "-id"})).json()

    assert [user["id"] for user in answer["items"]] == list(range(20_000 - 206 * 97, 0, -1))
