"""Lists: by page and by cursor, sorted and filtered, and nothing that was not asked for."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.people import add_crowd, add_people
from tests.problems import invalid, problem_of

SORT = "must be keys of id, name, email, created_at, each once and id last, with - to descend"


async def ids(client: httpx.AsyncClient, **query: Any) -> list[int]:
    answer = await client.get("/users", params=query)
    return [user["id"] for user in answer.json()["items"]]


async def walk(client: httpx.AsyncClient, **query: Any) -> list[int]:
    """The ids of all pages by cursor."""
    found: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get("/users", params={**query, "cursor": cursor})).json()
        found += [user["id"] for user in page["items"]]
        cursor = page["next_cursor"]
    return found


def links(answer: httpx.Response) -> dict[str, str]:
    return {rel: str(link["url"]) for rel, link in answer.links.items() if rel}


async def test_nobody_is_an_empty_page(client: httpx.AsyncClient) -> None:
    listed = await client.get("/users")

    assert (listed.status_code, listed.json()) == (200, {"items": [], "total": 0, "page": 1, "size": 20, "pages": 0})
    assert listed.headers["cache-control"] == "private, no-cache"
    assert links(listed) == {"first": "/users?page=1", "last": "/users?page=1"}


async def test_a_page_shows_users_without_their_passwords(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_people(engine, ("Ada", "ada@example.com"))

    listed = await client.get("/users")

    assert listed.json()["items"] == [{"id": 1, "name": "Ada", "email": "ada@example.com"}]


async def test_the_last_page_holds_the_rest(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_crowd(engine, 45)

    listed = await client.get("/users?page=3")

    assert [user["id"] for user in listed.json().pop("items")] == [41, 42, 43, 44, 45]
    assert {**listed.json(), "items": ...} == {"items": ..., "total": 45, "page": 3, "size": 20, "pages": 3}
    assert links(listed) == {"first": "/users?page=1", "prev": "/users?page=2", "last": "/users?page=3"}


async def test_links_keep_what_was_asked(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_crowd(engine, 5)

    listed = await client.get("/users", params={"sort": "-id", "size": 2, "page": 2, "q": "person"})

    assert links(listed) == {
        "first": "/users?sort=-id&size=2&q=person&page=1",
        "prev": "/users?sort=-id&size=2&q=person&page=1",
        "next": "/users?sort=-id&size=2&q=person&page=3",
        "last": "/users?sort=-id&size=2&q=person&page=3",
    }
    following = await client.get(links(listed)["next"])
    assert [user["id"] for user in following.json()["items"]] == [1]


async def test_links_ask_what_was_answered(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_people(engine, ("José +&=;,<>", "a@x.org"), ("José +&=;,<>", "b@x.org"))

    listed = await client.get("/users?size=1&name=Jos%c3%a9%20%2B%26%3d%3B%2c<>")
    following = await client.get(links(listed)["next"])

    query = "size=1&name=Jos%C3%A9+%2B%26%3D%3B%2C%3C%3E"
    assert list(links(listed)) == ["next", "first", "last"]
    assert links(listed)["next"] == f"/users?{query}&page=2"
    assert [user["id"] for user in (*listed.json()["items"], *following.json()["items"])] == [1, 2]
    assert list(links(following)) == ["prev", "first", "last"]


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"q": "李" * 3}, ["next", "prev", "first", "last"]),
        ({"q": "李" * 100}, ["next", "prev"]),
        ({"q": "李" * 100, "name": "李" * 100}, ["next"]),
        ({"q": "李" * 255}, []),
    ],
)
async def test_links_fit_into_a_header(
    client: httpx.AsyncClient, engine: AsyncEngine, filters: dict[str, str], named: list[str]
) -> None:
    await add_people(engine, *(("李" * 100, f"p{n}@x.org") for n in range(3)))

    listed = await client.get("/users", params={**filters, "size": 1, "page": 2})

    assert listed.status_code == 200
    assert len(listed.headers.get("link", "")) <= 2_000
    assert list(links(listed)) == named


async def test_a_page_of_any_number_of_digits_is_past_the_end(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_crowd(engine, 3)

    listed = await client.get("/users", params={"page": "9" * 60_000})

    assert (listed.status_code, listed.json()["items"], listed.json()["total"]) == (200, [], 3)


@pytest.mark.parametrize("page", [4, 2**31, 2**63 - 1, 2**63, 10**30])
async def test_a_page_past_the_end_is_empty(client: httpx.AsyncClient, engine: AsyncEngine, page: int) -> None:
    await add_crowd(engine, 3)

    listed = await client.get("/users", params={"page": page, "size": 1})

    assert (listed.status_code, listed.json()) == (
        200,
        {"items": [], "total": 3, "page": page, "size": 1, "pages": 3},
    )
    assert links(listed)["prev"] == "/users?size=1&page=3"


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("page=0", "page", "at least 1"),
        ("page=-1", "page", "at least 1"),
        ("page=abc", "page", "must be a whole number"),
        ("page=", "page", "must be a whole number"),
        ("page=1.5", "page", "must be a whole number"),
        ("size=0", "size", "at least 1"),
        ("size=101", "size", "at most 100"),
        ("size=ten", "size", "must be a whole number"),
        ("page=1e0", "page", "must be a whole number"),
        ("size=2.0", "size", "must be a whole number"),
        ("email=ada", "email", "not a valid email address"),
        ("name=%20", "name", "at least 1 character"),
        ("name=" + "x" * 101, "name", "at most 100 characters"),
        ("page=1&page=2", "page", "given more than once"),
        ("cursor=&page=1", "cursor", "cannot be combined with page"),
        ("sort=password", "sort", SORT),
        ("sort=hashed_password", "sort", SORT),
        ("sort=name,name", "sort", SORT),
        ("sort=", "sort", SORT),
        ("q=ab", "q", "at least 3 characters"),
        ("q=", "q", "at least 3 characters"),
        ("q=%C3%A9a", "q", "at least 3 characters"),
        ("q=%E6%9D%8E", "q", "at least 2 characters"),
        ("created_after=2016-12-31T23:59:60Z", "created_after", "a leap second cannot be stored: write :59"),
        ("created_before=2017-01-01T00:59:60.5%2B01:00", "created_before", "a leap second cannot be stored: write :59"),
        ("q=abc%00", "q", "must not contain a NUL character"),
        ("created_after=yesterday", "created_after", "must be a date and time with an offset (RFC 3339)"),
        ("created_after=0001-01-01T00:00:00%2B14:00", "created_after", "must lie in the years 1 to 9999 (UTC)"),
        ("created_before=9999-12-31T23:59:59-14:00", "created_before", "must lie in the years 1 to 9999 (UTC)"),
        ("created_after=2026-01-01T00:00:00", "created_after", "must be a date and time with an offset (RFC 3339)"),
    ],
)
async def test_a_bad_parameter_is_named(client: httpx.AsyncClient, query: str, parameter: str, detail: str) -> None:
    refused = await client.get(f"/users?{query}")

    assert problem_of(refused) == invalid({"parameter": parameter, "detail": detail})


async def test_a_mistyped_parameter_does_not_list_everybody(client: httpx.AsyncClient) -> None:
    refused = await client.get("/users?emial=ada@example.com")

    assert problem_of(refused) == invalid({"parameter": "emial", "detail": "unknown"}, code="unknown_parameter")


async def test_every_bad_parameter_is_named_at_once(client: httpx.AsyncClient) -> None:
    refused = await client.get("/users?page=0&size=101&emial=x")

    assert problem_of(refused) == invalid(
        {"parameter": "emial", "detail": "unknown"},
        {"parameter": "page", "detail": "at least 1"},
        {"parameter": "size", "detail": "at most 100"},
    )


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("id", [1, 2, 3, 4]),
        ("-id", [4, 3, 2, 1]),
        ("name", [3, 1, 2, 4]),
        ("-name", [4, 2, 1, 3]),
        ("name,-created_at", [3, 2, 1, 4]),
        ("-created_at,name", [4, 3, 2, 1]),
        ("email", [1, 2, 4, 3]),
    ],
)
async def test_a_list_is_sorted_as_asked(
    client: httpx.AsyncClient, engine: AsyncEngine, sort: str, order: list[int]
) -> None:
    await add_people(engine, ("Bo", "a@x.org"), ("Bo", "b@x.org"), ("Al", "d@x.org"), ("Cy", "c@x.org"))

    assert await ids(client, sort=sort) == order
    assert await walk(client, sort=sort, size=1) == order


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"email": "ADA@Example.com"}, [1]),
        ({"email": "Ada@Example.org"}, []),
        ({"name": " Ada "}, [1]),
        ({"name": "Ada"}, [1]),
        ({"name": "ada"}, []),
        ({"q": "LOVE"}, [2]),
        ({"q": "example"}, [1, 2]),
        ({"q": "100%"}, [3]),
        ({"q": "a_b"}, [4]),
        ({"q": "a\\b"}, [5]),
        ({"q": "%%%"}, []),
        ({"created_after": "2026-01-01T00:03:00Z"}, [4, 5]),
        ({"created_before": "2026-01-01T00:03:00Z"}, [1, 2, 3]),
        ({"created_after": "2026-01-01T01:01:00+01:00", "created_before": "2026-01-01T00:03:00Z"}, [2, 3]),
        ({"q": "example", "name": "Ada"}, [1]),
    ],
)
async def test_filters_leave_what_matches_and_count_it(
    client: httpx.AsyncClient, engine: AsyncEngine, query: dict[str, str], found: list[int]
) -> None:
    await add_people(
        engine,
        ("Ada", "ada@example.com"),
        ("Lovelace", "l@example.com"),
        ("100% Bo", "bo@x.org"),
        ("a_b", "c@x.org"),
        ("a\\b axb", "d@x.org"),
    )

    listed = (await client.get("/users", params=query)).json()

    assert ([user["id"] for user in listed["items"]], listed["total"]) == (found, len(found))
    assert await walk(client, **query, size=1) == found


async def test_what_is_given_twice_is_named_beside_what_is_wrong(client: httpx.AsyncClient) -> None:
    refused = await client.get("/users?size=1&size=2&email=ada&emial=x&emial=y")

    errors = {error["parameter"]: error["detail"] for error in refused.json()["errors"]}
    assert (problem_of(refused)["code"], errors) == (
        "validation_error",
        {"email": "not a valid email address", "size": "given more than once", "emial": "given more than once"},
    )


async def test_cursors_lead_past_everybody_once(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_crowd(engine, 45)

    by_id, by_name = await walk(client, size=10), await walk(client, size=10, sort="-name")

    assert by_id == list(range(1, 46))
    assert by_name == sorted(by_id, key=lambda user: (user % 7, user), reverse=True)


async def test_a_page_by_cursor_links_to_the_next(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_crowd(engine, 3)

    first = await client.get("/users?cursor=&size=2")
    second = await client.get(links(first)["next"])

    cursor = first.json()["next_cursor"]
    assert {**first.json(), "items": [1, 2]} == {"items": [1, 2], "size": 2, "next_cursor": cursor}
    assert links(first) == {"next": f"/users?size=2&cursor={cursor}"}
    assert second.json() == {
        "items": [{"id": 3, "name": "Person 3", "email": "p3@example.com"}],
        "size": 2,
        "next_cursor": None,
    }
    assert links(second) == {}


@pytest.mark.parametrize("changed", [{"sort": "-id"}, {"q": "person"}, {"name": "Person 1"}])
async def test_a_cursor_serves_only_the_list_that_it_was_made_for(
    client: httpx.AsyncClient, engine: AsyncEngine, changed: dict[str, str]
) -> None:
    await add_crowd(engine, 3)
    cursor = (await client.get("/users?cursor=&size=1")).json()["next_cursor"]

    refused = await client.get("/users", params={"cursor": cursor, "size": 1, **changed})

    expected = invalid({"parameter": "cursor", "detail": "not a cursor of this list"}, code="invalid_cursor")
    assert problem_of(refused) == expected


@pytest.mark.parametrize("damage", ["x", "AAAA", "%00", "é", "A" * 1_999, "=", "eyJpZCI6MX0"])
async def test_a_damaged_cursor_is_refused(client: httpx.AsyncClient, damage: str) -> None:
    refused = await client.get(f"/users?cursor={damage}")

    detail = "must not contain a NUL character" if damage == "%00" else "not a cursor of this list"
    code = "validation_error" if damage == "%00" else "invalid_cursor"
    assert problem_of(refused) == invalid({"parameter": "cursor", "detail": detail}, code=code)


async def test_every_character_of_a_cursor_counts(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_crowd(engine, 3)
    query: dict[str, Any] = {"size": 1, "sort": "-name"}
    cursor = (await client.get("/users", params={"cursor": "", **query})).json()["next_cursor"]

    for place, character in enumerate(cursor):
        for other in {"A", "B", "_"} - {character}:
            damaged = f"{cursor[:place]}{other}{cursor[place + 1 :]}"
            refused = await client.get("/users", params={"cursor": damaged, **query})

            assert refused.json()["code"] == "invalid_cursor", damaged


@pytest.mark.parametrize("path", ["/users", "/users/", "/users/1", "/users/1/", "/health", "/health/ready/"])
async def test_both_slashes_answer_directly_and_every_get_answers_head(
    client: httpx.AsyncClient, engine: AsyncEngine, path: str
) -> None:
    await add_crowd(engine, 1)

    read, head = await client.get(path), await client.head(path)

    assert (read.status_code, head.status_code, head.content) == (200, 200, b"")
    assert int(read.headers["content-length"]) == len(read.content)
    changing = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in read.headers.items() if k not in changing
    }
