"""Developers: the second resource, with the manners of the first."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.engine import ROOT
from app.http.pagination import parse_query
from app.repository.lookups import PATIENCE
from app.resources.developers.repository import developers
from app.resources.developers.schemas import DeveloperQuery
from tests.callers import add_session, add_user, bearer
from tests.commands import Shell
from tests.databases import empty_database, migrate
from tests.migrations import execute, rows
from tests.predecessors import side_by_side
from tests.problems import invalid, problem_of
from tests.test_counts import run
from tests.test_users import sign_up

GRACE = {"name": "Grace", "email": "grace@example.com", "specialty": "compilers"}


async def add(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/developers", json={**GRACE, **fields})


async def add_many(client: httpx.AsyncClient, *names_and_specialties: tuple[str, str]) -> None:
    for place, (name, specialty) in enumerate(names_and_specialties):
        await add(client, name=name, email=f"d{place}@example.com", specialty=specialty)


async def test_a_new_developer_is_returned_with_its_place_and_its_time(client: httpx.AsyncClient) -> None:
    created = await add(client)

    body = created.json()
    made_at = datetime.fromisoformat(body.pop("created_at"))
    assert (created.status_code, body) == (201, {"id": 1, **GRACE})
    assert abs(datetime.now(UTC) - made_at) < timedelta(minutes=1)
    assert created.headers["location"] == "/developers/1"


async def test_a_created_developer_can_be_read(client: httpx.AsyncClient) -> None:
    created = await add(client)

    read = await client.get("/developers/1")

    seen = created.headers["etag"]
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, created.json(), seen)
    again = await client.get("/developers/1", headers={"If-None-Match": seen})
    assert (again.status_code, again.content) == (304, b"")


async def test_there_is_no_such_developer(client: httpx.AsyncClient) -> None:
    answers = [
        await client.get("/developers/7"),
        await client.patch("/developers/7", json={"name": "Nobody"}),
        await client.delete("/developers/7"),
    ]

    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [(404, "Developer not found")] * 3


async def test_every_bad_field_is_named(client: httpx.AsyncClient) -> None:
    created = await add(client, name=" ", email="grace", specialty="x" * 101)

    assert created.status_code == 422
    assert {error["pointer"] for error in created.json()["errors"]} == {"/name", "/email", "/specialty"}


@pytest.mark.parametrize("spelling", ["grace@example.com", "GRACE@Example.com"])
async def test_an_address_belongs_to_one_developer(client: httpx.AsyncClient, spelling: str) -> None:
    await add(client)
    await add(client, email="other@example.com")

    created = await add(client, email=spelling)
    changed = await client.patch("/developers/2", json={"email": spelling})

    assert [(answer.status_code, answer.json()["code"]) for answer in (created, changed)] == [(409, "email_taken")] * 2


async def test_a_change_leaves_the_rest_and_the_time_of_creation(client: httpx.AsyncClient) -> None:
    created = await add(client)

    changed = await client.patch("/developers/1", json={"specialty": "languages"})

    assert (changed.status_code, changed.json()) == (200, {**created.json(), "specialty": "languages"})
    assert changed.headers["etag"] != created.headers["etag"]
    assert (await client.get("/developers/1")).json() == changed.json()


async def test_the_time_of_creation_cannot_be_set(client: httpx.AsyncClient) -> None:
    await add(client)

    changed = await client.patch("/developers/1", json={"created_at": "2001-01-01T00:00:00Z"})

    assert (changed.status_code, changed.json()["errors"][0]["pointer"]) == (422, "/created_at")


async def test_a_stale_change_is_refused(client: httpx.AsyncClient) -> None:
    seen = (await add(client)).headers["etag"]
    changed = await client.patch("/developers/1", json={"name": "Amazing Grace"})

    stale = await client.patch("/developers/1", json={"name": "G."}, headers={"If-Match": seen})
    removed = await client.delete("/developers/1", headers={"If-Match": changed.headers["etag"]})

    assert (stale.status_code, removed.status_code) == (412, 204)


@pytest.mark.parametrize("condition", [{"If-Match": '"7"'}, {"If-None-Match": "*"}, {"If-None-Match": "{tag}"}])
async def test_nothing_is_done_against_a_condition(client: httpx.AsyncClient, condition: dict[str, str]) -> None:
    created = await add(client)
    given = {name: value.format(tag=created.headers["etag"]) for name, value in condition.items()}

    changed = await client.patch("/developers/1", json={"name": "G."}, headers=given)
    removed = await client.delete("/developers/1", headers=given)
    read = await client.get("/developers/1", headers=given)

    assert (changed.status_code, removed.status_code) == (412, 412)
    assert read.status_code == (412 if "If-Match" in condition else 304)
    assert (await client.get("/developers/1")).json() == created.json()


async def test_a_developer_is_changed_and_deleted_where_the_conditions_hold(client: httpx.AsyncClient) -> None:
    seen = (await add(client)).headers["etag"]
    given = {"If-None-Match": '"7"'}

    changed = await client.patch("/developers/1", json={"name": "G."}, headers={**given, "If-Match": seen})
    removed = await client.delete("/developers/1", headers={**given, "If-Match": changed.headers["etag"]})

    assert (changed.status_code, removed.status_code) == (200, 204)


async def test_a_developer_is_deleted_once(client: httpx.AsyncClient) -> None:
    await add(client)

    statuses = [(await client.delete("/developers/1")).status_code for _ in range(2)]

    assert statuses == [204, 404]


async def test_a_specialty_is_listed_by_name(client: httpx.AsyncClient) -> None:
    await add_many(client, ("Zoe", "backend"), ("Bob", "frontend"), ("Ann", "backend"), ("Ann", "backend"))

    listed = await client.get("/developers?specialty=backend&size=2")

    body = listed.json()
    assert [(item["id"], item["name"]) for item in body.pop("items")] == [(3, "Ann"), (4, "Ann")]
    assert body == {"total": 3, "page": 1, "size": 2, "pages": 2}
    assert (await client.get("/developers?specialty=Backend")).json()["total"] == 0


async def test_a_cursor_walks_every_developer_once(client: httpx.AsyncClient) -> None:
    await add_many(client, *[(name, "backend") for name in ("C", "A", "B", "A", "C")])

    cursor, seen = "", []
    while cursor is not None:
        page = (await client.get("/developers", params={"cursor": cursor, "size": 2})).json()
        seen += [(item["name"], item["id"]) for item in page["items"]]
        cursor = page["next_cursor"]

    assert seen == [("A", 2), ("A", 4), ("B", 3), ("C", 1), ("C", 5)]


async def test_a_mistyped_filter_is_refused(client: httpx.AsyncClient) -> None:
    listed = await client.get("/developers?speciality=backend")

    assert (listed.status_code, listed.json()["code"]) == (422, "unknown_parameter")


@pytest.mark.parametrize(
    ("query_string", "index"),
    [
        ("", "ix_developers_name"),
        ("cursor=", "ix_developers_name"),
        ("specialty=craft 1", "ix_developers_specialty"),
        ("specialty=craft 1&cursor=", "ix_developers_specialty"),
        ("sort=-created_at", "ix_developers_created_at"),
        ("sort=email", "ix_developers_email"),
        ("email=7@example.com", "ix_developers_email"),
    ],
)
async def test_a_list_is_found_by_an_index(
    client: httpx.AsyncClient, engine: AsyncEngine, query_string: str, index: str
) -> None:
    await run(
        engine,
        "INSERT INTO developers (name, email, specialty, created_at)"
        " SELECT 'N' || n, n || '@example.com', 'craft ' || n % 10, timestamptz '2026-01-01Z' + n * interval '1 s'"
        " FROM generate_series(1, 5000) n",
        "VACUUM ANALYZE developers",
    )

    asked = developers.prepare(parse_query(DeveloperQuery, query_string.encode()))
    values = {**asked.values, **dict(zip(asked.names, asked.cursor, strict=False))}
    async with engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        arguments = [values.get(name, default) for name, default in asked.one.parameters]
        steps = [row[0] for row in await raw.fetch(f"EXPLAIN {asked.one.sql}", *arguments)]

    assert any(index in step for step in steps)
    assert not any("Seq Scan on developers" in step for step in steps)


async def test_an_update_from_a_file_keeps_when_a_developer_was_created(
    client: httpx.AsyncClient, shell: Shell
) -> None:
    before = (await add(client)).json()
    exported = await shell.run("developers", "export", "--format", "csv")

    done = await shell.run(
        *("developers", "import", "-", "--format", "csv", "--on-conflict", "update"),
        stdin=exported.stdout.replace(GRACE["specialty"], "=1+1; ships"),
    )

    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "1 read, 0 inserted, 1 updated, 0 skipped, 0 rejected")
    assert (await client.get("/developers/1")).json() == {**before, "specialty": "=1+1; ships"}


async def test_when_a_developer_was_created_is_kept(client: httpx.AsyncClient, shell: Shell) -> None:
    moments = ("2020-02-29T12:00:00.5+02:00", "0001-01-01T00:00:00+14:00")
    given = "".join(f"Ann,a{n}@b.com,ops,{moment}\n" for n, moment in enumerate(moments))

    done = await shell.run(
        *("developers", "import", "-", "--format", "csv"), stdin=f"name,email,specialty,created_at\n{given}"
    )

    assert (done.exit_code, done.stderr[:25]) == (1, "line 3: created_at: must ")
    found = (await client.get("/developers")).json()["items"]
    assert [item["created_at"] for item in found] == ["2020-02-29T10:00:00.500000Z"]


async def test_a_developer_in_a_file_has_a_specialty(shell: Shell) -> None:
    done = await shell.run("developers", "import", "-", "--format", "csv", stdin="name,email,specialty\nAnn,a@b.com,\n")

    assert (done.exit_code, done.stderr) == (1, "line 2: specialty: required\n")


async def test_a_slow_statement_does_not_hold_up_those_of_another_table(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await sign_up(client)
    await client.get("/users/1")
    locking = engine.execution_options(isolation_level="READ COMMITTED")
    async with locking.connect() as connection:
        await connection.execute(text("LOCK TABLE users"))
        held = asyncio.create_task(client.get("/users/1"))
        await asyncio.sleep(3 * PATIENCE)

        other = await client.get("/developers/1")

        assert not held.done()
        await connection.rollback()

    assert (other.status_code, (await held).status_code) == (404, 200)


async def test_every_method_of_bulk_is_named(client: httpx.AsyncClient) -> None:
    assert (await client.options("/developers/bulk")).headers["allow"] == "OPTIONS, POST"


async def test_the_page_lists_the_routes_of_the_document(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/schema/openapi.json")).json()["paths"]

    listed = set(re.findall(r"^\| `(.+?)`", (ROOT / "docs/developers.md").read_text(), re.MULTILINE))

    served = {f"{method.upper()} {path}" for path, item in paths.items() for method in item if "/developers" in path}
    assert listed == served


async def test_the_document_describes_developers_and_their_bulk(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()

    bulk = document["paths"]["/developers/bulk"]["post"]
    schema = bulk["requestBody"]["content"]["application/json"]["schema"]
    read = document["components"]["schemas"]["DeveloperRead"]["properties"]
    assert (bulk["operationId"], schema["minItems"], schema["maxItems"]) == ("developers_create_many", 1, 10_000)
    assert set(bulk["responses"]["201"]["headers"]) == {"Idempotency-Replayed"}
    assert read["created_at"]["format"] == "date-time"


async def test_developers_are_found_by_id_and_what_they_keep_cannot_be_changed(client: httpx.AsyncClient) -> None:
    for name in ("Cy", "Bo", "Al"):
        await client.post("/developers", json={"name": name, "email": f"{name}@example.com", "specialty": "backend"})

    listed = (await client.get("/developers?id=1,3")).json()
    sent_back = await client.patch("/developers/3", json={**listed["items"][0], "specialty": "frontend"})

    assert [item["name"] for item in listed["items"]] == ["Al", "Cy"]
    fixed = [{"pointer": f"/{name}", "detail": "cannot be changed"} for name in ("id", "created_at")]
    assert problem_of(sent_back) == invalid(*fixed)


async def test_an_upgrade_spells_developers_as_today() -> None:
    decomposed = normalize("NFD", "Renée")
    async with empty_database() as url:
        await migrate(url, "20261125_versions")
        columns = "INSERT INTO developers (name, email, specialty) VALUES"
        await execute(url, f"{columns} ('{decomposed}', 'r@xn--bcher-kva.example', '{decomposed}')")

        await migrate(url)

        stored = await rows(url, "SELECT name, email, specialty FROM developers")
    assert stored == [("Renée", "r@bücher.example", "Renée")]


async def test_whoever_has_signed_in_reads_and_administrators_change(
    remote: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    ada, root = await add_user(engine, "Ada"), await add_user(engine, "Root", is_admin=True)
    callers = [{}, *[bearer(await add_session(engine, user)) for user in (ada, root)]]
    routes = [("GET", "/developers"), ("GET", "/developers/1"), ("POST", "/developers"), ("POST", "/developers/bulk")]
    routes += [("PATCH", "/developers/1"), ("DELETE", "/developers/1")]

    statuses = [
        [(await remote.request(method, path, headers=caller)).status_code for method, path in routes]
        for caller in callers
    ]

    assert statuses == [[401] * 6, [200, 404, 403, 403, 403, 403], [200, 404, 400, 400, 400, 404]]


async def test_developers_come_from_elsewhere_too(shell: Shell, client: httpx.AsyncClient) -> None:
    given = "Id|Full Name|E-mail|Craft\n7|Ann Lee|ann@example.com|backend\n"

    done = await shell.run(
        "developers", "import", "-", "--map", "name=Full Name,specialty=Craft", "--keep-ids", stdin=given
    )

    assert (done.exit_code, done.stderr) == (0, "")
    assert (await client.get("/developers/7")).json()["specialty"] == "backend"


async def test_the_fastapi_service_answers_alike() -> None:
    async with side_by_side() as both:
        for number in range(10):
            body = [{**GRACE, "email": f"d{number}@example.com"}]
            old, new = [await client.post("/developers/bulk", json=body) for client in both]

            assert (new.status_code, new.json()) == (old.status_code, old.json()) == (201, {"created": 1})
