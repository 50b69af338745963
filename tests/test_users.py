"""Users: created, read, changed and deleted."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.problems import invalid, problem, problem_of

ADA = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
BAD = "not a valid email address"
TAKEN = problem(409, "email_taken", "Email already registered")
NOBODY = problem(404, "not_found", "User not found")
CHANGED = problem(412, "precondition_failed", "The resource has changed since it was read")


async def sign_up(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/users", json={**ADA, **fields})


async def test_a_new_user_is_returned_without_the_password(client: httpx.AsyncClient) -> None:
    created = await sign_up(client)

    assert (created.status_code, created.json()) == (201, {"id": 1, "name": "Ada", "email": "ada@example.com"})
    assert created.headers["location"] == "/users/1"
    assert re.fullmatch(r'"\d+"', created.headers["etag"])


async def test_a_password_is_stored_as_argon2id_with_owasps_parameters(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await sign_up(client)

    async with engine.connect() as connection:
        stored = await connection.scalar(text("SELECT hashed_password FROM users"))
    assert str(stored).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_created_user_can_be_read(client: httpx.AsyncClient) -> None:
    created = await sign_up(client)

    read = await client.get(created.headers["location"])

    assert (read.status_code, read.json()) == (200, created.json())
    assert read.headers["cache-control"] == "private, no-cache"


async def test_blanks_around_a_name_and_an_address_are_stripped(client: httpx.AsyncClient) -> None:
    created = await sign_up(client, name="  Ada L. \t", email=" ada@example.com\n")

    assert created.json() == {"id": 1, "name": "Ada L.", "email": "ada@example.com"}


async def test_the_spelling_of_an_address_is_kept(client: httpx.AsyncClient) -> None:
    created = await sign_up(client, email="Ada.Lovelace@Example.com")

    assert created.json()["email"] == "Ada.Lovelace@Example.com"


async def test_every_bad_field_of_a_sign_up_is_named_at_once(client: httpx.AsyncClient) -> None:
    refused = await client.post("/users", json={"name": "", "email": "x"})

    assert problem_of(refused) == invalid(
        {"pointer": "/name", "detail": "at least 1 character"},
        {"pointer": "/email", "detail": "not a valid email address"},
        {"pointer": "/password", "detail": "required"},
    )


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("name", "   ", "at least 1 character"),
        ("name", "a" * 101, "at most 100 characters"),
        ("name", None, "must be a string"),
        ("name", 7, "must be a string"),
        ("name", "A\0da", "must not contain a NUL character"),
        ("email", "Ada <ada@example.com>", f"{BAD}: write the address alone, without a name or brackets"),
        ("email", "admin@corp.local", f"{BAD}: a special-use domain"),
        ("id", 7, "cannot be changed"),
        ("created_at", None, "cannot be changed"),
        ("email", f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example.com", "at most 255 characters"),
        ("email", "ada@example.com\0", "must not contain a NUL character"),
        ("password", "7 chars", "at least 8 characters"),
        ("password", "p" * 129, "at most 128 characters"),
        ("password", "correct\0horse", "must not contain a NUL character"),
        ("role", "admin", "unknown"),
        ("a/b~c", 1, "unknown"),
    ],
)
async def test_a_bad_field_is_named(client: httpx.AsyncClient, field: str, value: object, detail: str) -> None:
    refused = await client.post("/users", json={**ADA, field: value})

    pointer = "/" + field.replace("~", "~0").replace("/", "~1")
    assert problem_of(refused) == invalid({"pointer": pointer, "detail": detail})


async def test_a_lone_surrogate_is_named(client: httpx.AsyncClient) -> None:
    body = rb'{"name": "\ud800", "email": "ada@example.com", "password": "correct horse"}'

    refused = await client.post("/users", content=body, headers={"Content-Type": "application/json"})

    assert problem_of(refused) == invalid({"pointer": "/name", "detail": "must not contain a lone surrogate"})


@pytest.mark.parametrize("length", [8, 128])
async def test_passwords_of_8_to_128_characters_are_taken(client: httpx.AsyncClient, length: int) -> None:
    created = await sign_up(client, password="p" * length)

    assert created.status_code == 201


async def test_a_hundred_sign_ups_of_one_address_give_one_user(client: httpx.AsyncClient) -> None:
    spellings = [f"{'Ann' if n % 2 else 'ANN'}@{'Example' if n % 3 else 'example'}.com" for n in range(100)]

    answers = await asyncio.gather(*(sign_up(client, email=email) for email in spellings))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 99
    assert [problem_of(answer) for answer in answers if answer.status_code == 409] == [TAKEN] * 99


async def test_an_address_outside_ascii_is_taken_in_any_letter_case(client: httpx.AsyncClient) -> None:
    await sign_up(client, email="Émilie@example.com")

    again = await sign_up(client, email="émilie@EXAMPLE.com")

    assert problem_of(again) == TAKEN


async def test_a_change_returns_the_user_and_a_new_tag(client: httpx.AsyncClient) -> None:
    created = await sign_up(client)

    changed = await client.patch("/users/1", json={"name": "Ada Lovelace"})

    assert (changed.status_code, changed.json()) == (200, {"id": 1, "name": "Ada Lovelace", "email": "ada@example.com"})
    assert changed.headers["etag"] != created.headers["etag"]
    read = await client.get("/users/1")
    assert (read.json(), read.headers["etag"]) == (changed.json(), changed.headers["etag"])


async def test_a_user_may_change_the_letter_case_of_its_own_address(client: httpx.AsyncClient) -> None:
    await sign_up(client)

    changed = await client.patch("/users/1", json={"email": "ADA@example.com"})

    assert (changed.status_code, changed.json()["email"]) == (200, "ADA@example.com")


async def test_a_change_of_nothing_changes_nothing(client: httpx.AsyncClient) -> None:
    created = await sign_up(client)

    changed = await client.patch("/users/1", json={})

    assert (changed.status_code, changed.json(), changed.headers["etag"]) == (
        200,
        created.json(),
        created.headers["etag"],
    )


async def test_a_change_to_a_taken_address_is_a_conflict(client: httpx.AsyncClient) -> None:
    await sign_up(client)
    await sign_up(client, email="ann@example.com")

    refused = await client.patch("/users/2", json={"email": "ADA@Example.com"})

    assert problem_of(refused) == TAKEN


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"name": None}, [{"pointer": "/name", "detail": "must be a string"}]),
        ({"password": "another horse"}, [{"pointer": "/password", "detail": "cannot be changed"}]),
        ({"id": 1, "name": "Ada", "email": "ada@example.com"}, [{"pointer": "/id", "detail": "cannot be changed"}]),
        ({"created_at": None}, [{"pointer": "/created_at", "detail": "cannot be changed"}]),
        ({"": 1}, [{"pointer": "/", "detail": "unknown"}]),
        ([], [{"pointer": "", "detail": "must be an object"}]),
    ],
)
async def test_a_bad_change_is_refused(client: httpx.AsyncClient, body: object, errors: list[dict[str, str]]) -> None:
    await sign_up(client)

    refused = await client.patch("/users/1", json=body)

    assert problem_of(refused) == invalid(*errors)


async def test_a_change_of_a_stale_version_is_refused(client: httpx.AsyncClient) -> None:
    seen = (await sign_up(client)).headers["etag"]
    await client.patch("/users/1", json={"name": "Ada L."})

    refused = await client.patch("/users/1", json={"name": "Ada B."}, headers={"If-Match": seen})

    assert problem_of(refused) == CHANGED
    assert (await client.get("/users/1")).json()["name"] == "Ada L."


@pytest.mark.parametrize("condition", ["{tag}", '"7", {tag}', "*"])
async def test_a_change_of_the_current_version_is_made(client: httpx.AsyncClient, condition: str) -> None:
    seen = (await sign_up(client)).headers["etag"]

    changed = await client.patch("/users/1", json={"name": "Ada B."}, headers={"If-Match": condition.format(tag=seen)})

    assert changed.status_code == 200
    assert changed.headers["etag"] != seen
    assert changed.headers["etag"] == (await client.get("/users/1")).headers["etag"]


@pytest.mark.parametrize("lines", [['"7"', "{tag}"], ["{tag}", '"7"'], ['"6", "7"', "", "{tag}"]])
async def test_a_condition_in_several_lines_is_one_list(client: httpx.AsyncClient, lines: list[str]) -> None:
    seen = (await sign_up(client)).headers["etag"]
    lines = [line.format(tag=seen) for line in lines]

    read = await client.get("/users/1", headers=[("If-None-Match", line) for line in lines])
    changed = await client.patch("/users/1", json={"name": "A"}, headers=[("If-Match", line) for line in lines])
    stale = await client.delete("/users/1", headers=[("If-Match", line) for line in lines])
    deleted = await client.delete(
        "/users/1", headers=[("If-Match", line) for line in [*lines, changed.headers["etag"]]]
    )

    assert (read.status_code, changed.status_code, deleted.status_code) == (304, 200, 204)
    assert problem_of(stale) == CHANGED


async def test_of_two_changes_of_one_version_one_is_made(client: httpx.AsyncClient) -> None:
    seen = (await sign_up(client)).headers["etag"]

    answers = await asyncio.gather(
        *(client.patch("/users/1", json={"name": f"Ada {n}"}, headers={"If-Match": seen}) for n in range(2))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_without_a_condition_every_change_is_made(client: httpx.AsyncClient) -> None:
    await sign_up(client)

    answers = await asyncio.gather(*(client.patch("/users/1", json={"name": f"Ada {n}"}) for n in range(8)))

    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.headers["etag"] for answer in answers}) == 8


@pytest.mark.parametrize("condition", ["{tag}", "W/{tag}", '"7", {tag}', "*"])
async def test_an_unchanged_user_is_not_sent_again(client: httpx.AsyncClient, condition: str) -> None:
    seen = (await sign_up(client)).headers["etag"]

    read = await client.get("/users/1", headers={"If-None-Match": condition.format(tag=seen)})

    assert (read.status_code, read.content, read.headers["etag"]) == (304, b"", seen)
    assert read.headers["cache-control"] == "private, no-cache"


async def test_a_changed_user_is_sent_again(client: httpx.AsyncClient) -> None:
    seen = (await sign_up(client)).headers["etag"]
    changed = await client.patch("/users/1", json={"name": "Ada L."})

    read = await client.get("/users/1", headers={"If-None-Match": seen})

    assert (read.status_code, read.json()["name"]) == (200, "Ada L.")
    assert read.headers["etag"] == changed.headers["etag"] != seen


async def test_a_deleted_user_is_gone(client: httpx.AsyncClient) -> None:
    await sign_up(client)

    deleted = await client.delete("/users/1")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert problem_of(await client.get("/users/1")) == NOBODY
    assert problem_of(await client.delete("/users/1")) == NOBODY
    assert problem_of(await client.patch("/users/1", json={"name": "Ada"})) == NOBODY


async def test_the_address_of_a_deleted_user_is_free_and_its_id_is_not(client: httpx.AsyncClient) -> None:
    await sign_up(client)
    await client.delete("/users/1")

    again = await sign_up(client)

    assert (again.status_code, again.json()["id"]) == (201, 2)


@pytest.mark.parametrize(
    "user_id", ["0", "-1", "1", "9223372036854775807", "9223372036854775808", "9" * 400, "9" * 60_000]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_number_that_is_nobodys_is_not_found(client: httpx.AsyncClient, method: str, user_id: str) -> None:
    answer = await client.request(method, f"/users/{user_id}", json={} if method == "PATCH" else None)

    assert problem_of(answer) == NOBODY


@pytest.mark.parametrize("user_id", ["abc", "1.5", "1.0", "1e0", "01", "1_0", "%20", "٣", "%00"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_an_id_that_is_not_a_number_is_named(client: httpx.AsyncClient, method: str, user_id: str) -> None:
    answer = await client.request(method, f"/users/{user_id}", json={} if method == "PATCH" else None)

    assert problem_of(answer) == invalid({"parameter": "user_id", "detail": "must be a whole number"})


async def test_a_user_has_no_children(client: httpx.AsyncClient) -> None:
    answer = await client.get("/users/1/2")

    assert answer.status_code == 404
