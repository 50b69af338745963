"""Cursor pages: every row once, whoever writes meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.repository.cursors import belonging_to, encode_cursor
from tests.test_counts import run

ADD = (
    "INSERT INTO users (name, email, hashed_password, created_at) SELECT 'name ' || i % 4, 'u' || i || '@example.com',"
    " 'x', timestamptz '2026-01-01Z' + i % 5 * interval '1 hour'"
    " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) i"
)
ORDERS = ["id", "-id", "name", "-name", "email", "-created_at", "name,-created_at", "-created_at,email", "name,-id"]


async def add(engine: AsyncEngine, first: int, last: int) -> None:
    async with engine.connect() as connection:
        await connection.execute(text(ADD), {"first": first, "last": last})


async def walk(client: httpx.AsyncClient, **parameters: Any) -> list[int]:
    ids: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get("/users", params={**parameters, "cursor": cursor})).json()
        ids += [user["id"] for user in page["items"]]
        cursor = page["next_cursor"]
    return ids


@pytest.mark.parametrize("sort", ORDERS)
async def test_a_walk_sees_what_one_large_page_sees(client: httpx.AsyncClient, engine: AsyncEngine, sort: str) -> None:
    await add(engine, 1, 60)
    whole = (await client.get("/users", params={"sort": sort, "size": 100})).json()

    walked = await walk(client, sort=sort, size=7)

    assert walked == [user["id"] for user in whole["items"]]
    assert len(set(walked)) == 60


@pytest.mark.parametrize("sort", ORDERS)
async def test_pages_by_number_see_the_same(client: httpx.AsyncClient, engine: AsyncEngine, sort: str) -> None:
    await add(engine, 1, 60)

    ids: list[int] = []
    for page in range(1, 10):
        answer = (await client.get("/users", params={"sort": sort, "size": 7, "page": page})).json()
        ids += [user["id"] for user in answer["items"]]

    assert ids == await walk(client, sort=sort, size=7)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    writes=st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=40, max_size=40),
    size=st.integers(1, 9),
    sort=st.sampled_from(ORDERS),
)
async def test_rows_that_stay_come_once_whatever_others_write(
    client: httpx.AsyncClient, engine: AsyncEngine, writes: list[tuple[int, bool]], size: int, sort: str
) -> None:
    await run(engine, "TRUNCATE users RESTART IDENTITY CASCADE")
    await add(engine, 1, 40)
    deleted: set[int] = set()
    seen: list[int] = []

    cursor: str | None = ""
    for step in range(100):
        page = (await client.get("/users", params={"sort": sort, "size": size, "cursor": cursor or ""})).json()
        seen += [user["id"] for user in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        victim, grows = writes[step % len(writes)]
        deleted.add(victim)
        await run(engine, f"DELETE FROM users WHERE id = {victim}")
        if grows and step < len(writes):
            await add(engine, 100 + step, 100 + step)

    survivors = set(range(1, 41)) - deleted
    assert cursor is None
    assert len(seen) == len(set(seen))
    assert survivors <= set(seen)


async def test_the_cursor_of_another_list_is_refused(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add(engine, 1, 9)
    first = (await client.get("/users", params={"cursor": "", "size": 2})).json()["next_cursor"]

    for foreign in ({"sort": "-id"}, {"name": "name 1"}, {"sort": "name"}):
        answer = await client.get("/users", params={"cursor": first, **foreign})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize("damage", ["x", "A" * 40, "é", "%00", "=", "a" * 3000])
async def test_a_damaged_cursor_is_refused(client: httpx.AsyncClient, engine: AsyncEngine, damage: str) -> None:
    await add(engine, 1, 9)
    good = (await client.get("/users", params={"cursor": "", "size": 2})).json()["next_cursor"]

    for cursor in (damage, good + damage, damage + good):
        answer = await client.get("/users", params={"cursor": cursor})

        assert answer.status_code == 422
        assert [error["parameter"] for error in answer.json()["errors"]] == ["cursor"]


@pytest.mark.parametrize(
    ("sort", "values"),
    [
        ("id", [2**63]),
        ("id", [2**64 - 1]),
        ("id", [-(2**63) - 0.5]),
        ("id", ["1"]),
        ("id", []),
        ("name", ["a\0b", 1]),
        ("name", [b"\xed\xa0\x80", 1]),
        ("name", [None, 1]),
        ("name", ["a", 2**63]),
        ("email", ["\0", 1]),
        ("created_at", [datetime(2026, 1, 1), 1]),  # noqa: DTZ001
        ("created_at", ["0001-01-01T00:00:00+14:00", 1]),
        ("created_at", ["9999-12-31T23:59:59-14:00", 1]),
        ("created_at", [1, 1]),
    ],
)
async def test_a_forged_cursor_is_refused(client: httpx.AsyncClient, sort: str, values: list[Any]) -> None:
    keys = tuple((name, False) for name in dict.fromkeys([sort, "id"]))
    cursor = encode_cursor(values, belonging_to("users", keys, []))

    refused = await client.get("/users", params={"cursor": cursor, "sort": sort})

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cursor"), refused.text


@pytest.mark.parametrize(("sort", "values"), [("id", [-(2**63)]), ("id", [2**63 - 1]), ("name", ["\U0001f600", 1])])
async def test_a_cursor_at_the_ends_of_its_range_is_taken(
    client: httpx.AsyncClient, sort: str, values: list[Any]
) -> None:
    keys = tuple((name, False) for name in dict.fromkeys([sort, "id"]))
    cursor = encode_cursor(values, belonging_to("users", keys, []))

    assert (await client.get("/users", params={"cursor": cursor, "sort": sort})).status_code == 200


async def test_page_and_cursor_exclude_each_other(client: httpx.AsyncClient) -> None:
    answer = await client.get("/users?cursor=&page=1")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"detail": "cannot be combined with page", "parameter": "cursor"}]


async def test_a_cursor_page_links_to_the_next(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add(engine, 1, 9)

    page = await client.get("/users?cursor=&size=4&sort=-id")

    assert page.json()["size"] == 4
    following = await client.get(page.links["next"]["url"])
    assert [user["id"] for user in following.json()["items"]] == [5, 4, 3, 2]
    last = await client.get(following.links["next"]["url"])
    assert (last.json()["next_cursor"], "link" in last.headers) == (None, False)
