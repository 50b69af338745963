"""Document: what a client's author reads there, as the service with these settings answers it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.callers import add_session, add_user, bearer
from tests.clients import client_of
from tests.problems import problem_of


@pytest.fixture
async def closed(remote: httpx.AsyncClient) -> Any:
    return (await remote.get("/schema/openapi.json")).json()


def operations(document: dict[str, Any]) -> dict[str, Any]:
    paths = document["paths"].items()
    return {f"{method.upper()} {path}": operation for path, item in paths for method, operation in item.items()}


async def test_a_description_says_more_than_the_title(closed: dict[str, Any]) -> None:
    for name, operation in operations(closed).items():
        title, said = operation["summary"], operation["description"]

        assert len(title) <= 60, name
        assert title not in said, name
        assert len(said) > 30, name


async def test_an_example_of_a_problem_has_its_status(closed: dict[str, Any]) -> None:
    for name, operation in operations(closed).items():
        for status, answer in operation["responses"].items():
            if status >= "400":
                example = answer["content"]["application/problem+json"]["example"]

                assert str(example["status"]) == status, (name, status)
                assert (example["code"] == "internal_error") == (status == "500"), (name, status)


async def test_examples_are_what_a_stranger_and_a_user_are_told(
    remote: httpx.AsyncClient, closed: dict[str, Any], engine: AsyncEngine
) -> None:
    admin = bearer(await add_session(engine, await add_user(engine, "Ada", is_admin=True)))
    bob = bearer(await add_session(engine, await add_user(engine, "Bob")))
    wrong = {"email": "bob@example.com", "password": "wrong"}

    inactive = {"active": False}
    answers = [
        ("GET /users/me", await remote.get("/users/me")),
        ("POST /sessions", await remote.post("/sessions", json=wrong)),
        ("GET /users", await remote.get("/users", headers=bob)),
        ("GET /metrics", await remote.get("/metrics", headers=bob)),
        ("DELETE /users/{user_id}", await remote.delete("/users/1", headers=admin)),
        ("PATCH /users/{user_id}/account", await remote.patch("/users/1/account", json=inactive, headers=admin)),
        ("GET /users", await remote.get("/users?name=%E9", headers=admin)),
        ("GET /users/{user_id}", await remote.get("/users/2", headers=bob | {"If-Match": "x"})),
        ("POST /users", await remote.post("/users", json={})),
    ]

    for name, answer in answers:
        described = operations(closed)[name]["responses"][str(answer.status_code)]
        shown = described["content"]["application/problem+json"]["example"]
        told = problem_of(answer)
        assert told["errors"][0] == shown["errors"][0] if "errors" in shown else told.items() <= shown.items(), name
        assert ("WWW-Authenticate" in described.get("headers", {})) == ("www-authenticate" in answer.headers), name


async def test_refusals_stand_where_they_can_come(
    closed: dict[str, Any], client: httpx.AsyncClient, database: DatabaseUrl
) -> None:
    local = (await client.get("/schema/openapi.json")).json()
    app = create_app(Settings(database_url=database, access="open"))
    async with client_of(app) as other:
        opened = (await other.get("/schema/openapi.json")).json()

    def refusing(document: dict[str, Any], status: str) -> set[str]:
        return {name for name, operation in operations(document).items() if status in operation["responses"]}

    assert refusing(local, "403") == set(operations(local))
    assert refusing(opened, "403") == set()
    assert refusing(closed, "403") >= {"GET /users", "GET /metrics", "GET /users/{user_id}/account"}
    assert not refusing(closed, "403") & {"GET /users/me", "GET /users/{user_id}", "GET /health"}
    assert "503" in operations(closed)["GET /metrics"]["responses"]
    assert refusing(local, "408") == refusing(local, "413") > {"POST /users"}


async def test_headers_are_only_where_they_are_sent(closed: dict[str, Any]) -> None:
    found = operations(closed)
    sign_in, limited = (found["POST /sessions"]["responses"][status] for status in ("201", "429"))

    assert not sign_in.get("headers")
    assert set(limited["headers"]) == {"Retry-After", "RateLimit", "RateLimit-Policy"}


async def test_whatever_is_inside_an_answer_is_described_as_well(closed: dict[str, Any]) -> None:
    session = closed["components"]["schemas"]["SessionRead"]["properties"]
    listed = operations(closed)["GET /sessions"]["responses"]["200"]["content"]["application/json"]["example"]

    times = ("created_at", "expires_at", "last_used_at")
    assert {session[name].get("format") for name in times} == {"date-time"}
    assert "text" not in str(listed)


async def test_the_document_is_the_same_however_it_is_asked_for(database: DatabaseUrl) -> None:
    app = create_app(Settings(database_url=database))
    async with client_of(app) as client:
        first, second = [await client.get(f"/schema/openapi.json{end}") for end in ("", "/")]

    assert first.json() == second.json()
