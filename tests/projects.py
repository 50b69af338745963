"""Beyond strings: what the shared parts do for the guide's projects. `test_adding_a_resource` runs this in its copy."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.staging import OnConflict, Staging, driver_of
from tests.problems import invalid, problem, problem_of
from tests.test_users import sign_up

JSON = {"content-type": "application/json"}
PROJECT: dict[str, Any] = {"name": "Moon", "key": "MOON"}
FILL = """
INSERT INTO projects (name, key, owner_id, budget, archived, tags, starts_on)
SELECT 'Name ' || n % 3, 'KEY' || translate(n::text, '0123456789', 'ABCDEFGHIJ'), NULL,
    CASE WHEN n % 4 > 0 THEN n % 7 / 2.0 END, n % 2 = 0, ARRAY['t' || n % 2],
    CASE WHEN n % 3 > 0 THEN date '2026-01-01' + n % 5 END
FROM generate_series(1, 40) AS n
"""
SORTS = ["id", "name", "key", "owner_id", "budget", "archived", "starts_on", "budget,-starts_on", "archived,-budget"]


@pytest.fixture
async def filled(client: httpx.AsyncClient, engine: AsyncEngine) -> httpx.AsyncClient:
    async with engine.connect() as connection:
        await connection.execute(text(FILL))
    return client


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{sort}" for sort in SORTS)])
async def test_a_walk_sees_every_row_in_the_order_of_pages(filled: httpx.AsyncClient, sort: str) -> None:
    paged = [(await filled.get("/projects", params={"sort": sort, "size": 9, "page": n})).json() for n in range(1, 6)]
    walked: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await filled.get("/projects", params={"sort": sort, "size": 7, "cursor": cursor})).json()
        walked += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert walked == [item["id"] for page in paged for item in page["items"]]
    assert sorted(walked) == list(range(1, 41))


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("name", 1, "must be a string"),
        ("key", "moon", "must be 3 to 10 capital letters"),
        ("key", "MOON\n", "must be 3 to 10 capital letters"),
        ("owner_id", 2**63, "out of range"),
        ("owner_id", -(2**63) - 1, "out of range"),
        ("owner_id", 10**30, "out of range"),
        ("owner_id", 9, "names nothing that is stored"),
        ("budget", -1, "must not be negative"),
        ("budget", "lots", "must be a number"),
        ("budget", "NaN", "must be a number"),
        ("budget", "Infinity", "must be a number"),
        ("budget", 10**10, "out of range"),
        ("budget", "9999999999.995", "out of range"),
        ("budget", "1e999999", "out of range"),
        ("budget", [], "must be a number or null"),
        ("archived", "yes", "must be true or false"),
        ("tags", ["a\0b"], "must not contain a NUL character"),
        ("tags", ["\ud800"], "must not contain a lone surrogate"),
        ("tags", ["a", ""], "at least 1 character"),
        ("tags", ["a"] * 11, "at most 10 items"),
        ("tags", "a", "must be an array"),
        ("starts_on", "tomorrow", "must be a date (RFC 3339)"),
        ("starts_on", 1, "must be a date (RFC 3339) or null"),
    ],
)
async def test_a_bad_field_is_named_in_words_alone_and_in_bulk(
    client: httpx.AsyncClient, field: str, value: Any, detail: str
) -> None:
    await client.post("/projects", json=PROJECT | {"key": "OTHER"})

    created = await client.post("/projects", content=json.dumps(PROJECT | {field: value}), headers=JSON)
    changed = await client.patch("/projects/1", content=json.dumps({field: value}), headers=JSON)
    rows = [PROJECT, PROJECT | {"key": "SUN", field: value}]
    many = await client.post("/projects/bulk", content=json.dumps(rows), headers=JSON)

    assert problem_of(created) == invalid({"detail": detail, "pointer": f"/{field}"})
    assert problem_of(changed) == problem_of(created)
    assert problem_of(many) == invalid({"detail": detail, "pointer": f"/1/{field}"})


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (f"owner_id={2**63}", "out of range"),
        (f"owner_id={10**30}", "out of range"),
        ("budget=1e10", "out of range"),
        ("budget=NaN", "must be a number"),
        ("budget=lots", "must be a number"),
        ("budget=-1", "must not be negative"),
        ("state=lost", "must be one of: active, archived"),
        ("starts_before=tomorrow", "must be a date (RFC 3339)"),
        ("tag=%00", "must not contain a NUL character"),
        ("key=MOON%0A", "must be 3 to 10 capital letters"),
    ],
)
async def test_a_bad_filter_is_named_in_words(client: httpx.AsyncClient, query: str, detail: str) -> None:
    refused = await client.get(f"/projects?{query}")

    assert problem_of(refused) == invalid({"detail": detail, "parameter": query.split("=")[0]})


@pytest.mark.parametrize(
    ("query", "total"), [("state=archived", 20), ("state=active&tag=t1", 20), ("budget=3", 4), ("key=KEYE", 1)]
)
async def test_filters_of_any_type_find(filled: httpx.AsyncClient, query: str, total: int) -> None:
    page = (await filled.get(f"/projects?{query}&size=100")).json()

    assert (page["total"], len(page["items"])) == (total, total)


@pytest.mark.parametrize(("sent", "stored"), [(1e5, "100000.00"), ("1.005", "1.01"), ("2.5", "2.50"), (None, None)])
async def test_a_write_answers_what_is_stored(client: httpx.AsyncClient, sent: Any, stored: Any) -> None:
    created = await client.post("/projects", json=PROJECT | {"budget": sent})
    changed = await client.patch("/projects/1", json={"budget": sent, "name": "Mars"})

    read = await client.get("/projects/1")

    assert (created.json()["budget"], changed.json()["budget"]) == (stored, stored)
    assert (read.json(), read.headers["etag"]) == (changed.json(), changed.headers["etag"])


async def test_a_taken_key_is_a_conflict_that_names_the_field(client: httpx.AsyncClient) -> None:
    await client.post("/projects", json=PROJECT)
    other = await client.post("/projects", json=PROJECT | {"key": "SUN"})

    created = await client.post("/projects", json=PROJECT)
    changed = await client.patch(other.headers["location"], json={"key": "MOON"})
    stored = await client.post("/projects/bulk", json=[PROJECT | {"key": "NEW"}, PROJECT])
    twice = await client.post("/projects/bulk", json=[PROJECT | {"key": key} for key in ("NEW", "OLD", "NEW")])

    for refused, pointer in ((created, "/key"), (changed, "/key"), (stored, "/1/key"), (twice, "/2/key")):
        error = {"detail": "Key already taken", "pointer": pointer}
        assert problem_of(refused) == problem(409, "key_taken", "Key already taken", error)
    assert (await client.get("/projects")).json()["total"] == 2


async def test_many_are_stored_with_all_that_they_hold(client: httpx.AsyncClient) -> None:
    await sign_up(client)
    whole = {"owner_id": 1, "budget": "1.50", "archived": True, "tags": ["a", 'b"{}'], "starts_on": "2026-01-01"}

    many = await client.post("/projects/bulk", json=[PROJECT | whole, {"name": "Sun", "key": "SUN"}])

    assert (many.status_code, many.json()) == (201, {"created": 2})
    bare: dict[str, Any] = {"owner_id": None, "budget": None, "archived": False, "tags": [], "starts_on": None}
    expected = [PROJECT | whole, {"name": "Sun", "key": "SUN"} | bare]
    assert (await client.get("/projects")).json()["items"] == [{"id": n, **item} for n, item in enumerate(expected, 1)]


async def test_an_owner_who_goes_leaves_a_new_version(client: httpx.AsyncClient) -> None:
    await sign_up(client)
    seen = (await client.post("/projects", json=PROJECT | {"owner_id": 1})).headers["etag"]

    await client.delete("/users/1")

    read = await client.get("/projects/1", headers={"If-None-Match": seen})
    assert (read.status_code, read.json()["owner_id"], read.headers["etag"] != seen) == (200, None, True)
    assert (await client.patch("/projects/1", json={"name": "x"}, headers={"If-Match": seen})).status_code == 412


async def test_an_owner_who_may_not_go_is_a_conflict(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await sign_up(client)
    await client.post("/projects", json=PROJECT | {"owner_id": 1})
    rule = "ADD CONSTRAINT fk_projects_owner_id_users FOREIGN KEY (owner_id) REFERENCES users (id)"

    async with engine.connect() as connection:
        try:
            for on_delete in ("RESTRICT", "NO ACTION"):
                drop = "DROP CONSTRAINT fk_projects_owner_id_users"
                await connection.execute(text(f"ALTER TABLE projects {drop}, {rule} ON DELETE {on_delete}"))

                refused = await client.delete("/users/1")

                expected = problem(409, "conflict", "The change conflicts with what is stored")
                assert problem_of(refused) == expected
        finally:
            await connection.execute(text(f"ALTER TABLE projects {drop}, {rule} ON DELETE SET NULL"))


@pytest.mark.parametrize(
    ("on_conflict", "settled", "names"),
    [("skip", (1, 0), ["Moon", "Second"]), ("update", (1, 1), ["First", "Third"])],
)
async def test_an_import_asks_the_unique_index_what_is_there(
    client: httpx.AsyncClient, engine: AsyncEngine, on_conflict: OnConflict, settled: tuple[int, int], names: list[str]
) -> None:
    await client.post("/projects", json=PROJECT)
    rows = [(1, None, "First", "MOON", []), (2, None, "Second", "SUN", ["a"]), (3, None, "Third", "SUN", [])]

    async with driver_of(engine) as driver:
        staging = Staging(driver, "projects", ("name", "key", "tags"))
        async with staging.transaction():
            await staging.add(rows)
            told = (await staging.conflicts(), await staging.taken(["X", "MOON"]), await staging.merge(on_conflict))

    assert told == ((2, 1, None), frozenset({1}), settled)
    page = (await client.get("/projects?sort=id")).json()
    assert [item["name"] for item in page["items"]] == names


async def test_the_document_describes_every_type_and_renames_no_other_schema(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()

    parameters = {one["name"]: one["schema"] for one in document["paths"]["/projects"]["get"]["parameters"]}
    assert parameters["state"]["enum"] == ["active", "archived"]
    assert (parameters["owner_id"]["type"], parameters["starts_before"]["format"]) == ("integer", "date")
    schemas = document["components"]["schemas"]
    assert {"BulkCreated", "ProjectCreate", "ProjectRead", "UserRead"} <= set(schemas)
    assert not [name for name in schemas if "schemas_" in name]
