"""Health: alive without the database, ready only with one that answers and is migrated."""

from __future__ import annotations

import time

import httpx
import msgspec
import pytest

from app import create_app
from app.repository.reader import Reader
from app.settings import Settings
from app.settings.database_url import DatabaseUrl, parse_database_url
from tests.clients import client_of
from tests.databases import empty_database, migrate
from tests.problems import problem, problem_of

NOWHERE = parse_database_url("postgresql://nobody@127.0.0.1:1/nothing")


def settings(url: DatabaseUrl) -> Settings:
    return Settings(database_url=url, log_format="json", log_level="error")


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/ready", "/health/live", "/health/live/"])
async def test_a_migrated_service_is_well(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


async def test_without_a_database_the_service_starts_and_is_alive_but_not_ready() -> None:
    app = create_app(settings(NOWHERE))

    async with app.lifespan(), client_of(app) as client:
        began = time.monotonic()
        ready, live, read = [await client.get(path) for path in ("/health/ready", "/health/live", "/users/1")]
        seconds = time.monotonic() - began

    assert problem_of(ready) == problem(503, "database_unavailable", "The database does not answer")
    assert problem_of(read) == problem(503, "database_unavailable", "The database does not answer")
    assert (ready.headers["retry-after"], live.status_code) == ("1", 200)
    assert seconds < 5


async def test_a_database_that_is_not_migrated_is_not_ready() -> None:
    async with empty_database() as url:
        app = create_app(settings(url))
        async with app.lifespan(), client_of(app) as client:
            empty = await client.get("/health/ready")
            await migrate(url, "20261121_users")
            behind = await client.get("/health/ready")
            await migrate(url)
            migrated = await client.get("/health/ready")

    assert problem_of(empty) == problem(503, "schema_outdated", "The schema is not the one that this version needs")
    assert problem_of(behind) == problem(503, "schema_outdated", "The schema is not at the head revision")
    assert migrated.status_code == 200


async def test_a_database_that_is_not_there_yet_is_not_a_defect() -> None:
    async with empty_database() as url:
        app = create_app(settings(msgspec.structs.replace(url, url=url.url.set(database="not_there_yet"))))
        async with app.lifespan(), client_of(app) as client:
            ready = await client.get("/health/ready")

    assert problem_of(ready) == problem(503, "database_unavailable", "The database of the service is not there")


async def test_a_defect_is_not_taken_for_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(settings(NOWHERE))
    async with app.lifespan(), client_of(app) as client:
        monkeypatch.delattr(Reader, "records")
        ready = await client.get("/health/ready")

    assert (ready.status_code, ready.json()["code"]) == (500, "internal_error")
