"""SQLSTATEs: what PostgreSQL refuses is told by what the client can do about it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import BigInteger, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.databases import empty_database, engine_of, migrate
from tests.faults.services import ada
from tests.problems import invalid, problem, problem_of

AWAY = problem(503, "database_unavailable", "The database does not answer")
CONFLICT = problem(409, "conflict", "The change conflicts with what is stored")
DEFECT = problem(500, "internal_error", "The service has a defect; the request id leads to its log line")
NOT_STORABLE = invalid({"detail": "holds a character that the database cannot store"})


@get("/sqlstate/{code:str}", who="anyone")
async def raise_state(transaction: NamedDependency[AsyncSession], code: FromPath[str]) -> None:
    await transaction.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$"))


@get("/too-large", who="anyone")
async def too_large(transaction: NamedDependency[AsyncSession]) -> None:
    await transaction.execute(select(bindparam("number", 2**70, type_=BigInteger)))


@pytest.fixture
async def raising(database: DatabaseUrl) -> Any:
    """A client of a service whose handlers make PostgreSQL, or its driver, refuse."""
    app = create_app(Settings(database_url=database, log_format="json", log_level="error"))
    for handler in (raise_state, too_large):
        app.register(handler)
    async with app.lifespan(), client_of(app) as client:
        yield client


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("08006 25P03 25P04 57P01 58030", AWAY),
        ("28000 28P01", problem(503, "database_unavailable", "The database refuses the login of the service")),
        ("3D000", problem(503, "database_unavailable", "The database of the service is not there")),
        ("40001 40P01 55P03", problem(503, "database_unavailable", "Another transaction was in the way")),
        ("42P01", problem(503, "schema_outdated", "The schema is not the one that this version needs")),
        ("53300", problem(503, "database_unavailable", "The database has no connection left")),
        ("25006", problem(503, "read_only", "The database takes no writes")),
        ("57014", problem(503, "statement_timeout", "A statement took too long and was stopped")),
        ("42501", problem(503, "database_unavailable", "The role of the service lacks a right in the database")),
        ("23001 23503 23505 23P01", CONFLICT),
        ("22021 22P05", NOT_STORABLE),
        ("22001 22003", invalid({"detail": "is longer, or larger, than what the database can store"})),
        ("0A000 22012 23502 23514 42601 XX000", DEFECT),
    ],
)
async def test_each_sqlstate_has_its_answer(raising: httpx.AsyncClient, states: str, expected: dict[str, Any]) -> None:
    answers = {state: await raising.get(f"/sqlstate/{state}") for state in states.split()}

    assert {state: problem_of(answer) for state, answer in answers.items()} == dict.fromkeys(answers, expected)
    retry_after = {answer.headers.get("retry-after") for answer in answers.values()}
    assert retry_after == {"1" if expected["status"] == 503 else None}


async def test_a_value_that_the_driver_refuses_is_no_outage(raising: httpx.AsyncClient) -> None:
    answer = await raising.get("/too-large")

    assert problem_of(answer) == DEFECT


@pytest.fixture
async def changing() -> AsyncIterator[DatabaseUrl]:
    """A database whose tables a test may change."""
    async with empty_database() as url:
        await migrate(url)
        yield url


async def test_a_column_that_changes_its_type_costs_no_more_than_a_repeat(changing: DatabaseUrl) -> None:
    app = create_app(Settings(database_url=changing, log_format="json", log_level="error"))
    engine = engine_of(changing)
    async with app.lifespan(), client_of(app) as client:
        await client.post("/users", json=ada(1))
        known = [await client.get("/users/1"), await client.patch("/users/1", json={"name": "Ada"})]

        async with engine.connect() as connection:
            await connection.execute(text("ALTER TABLE users ALTER name TYPE text"))
        read, changed, repeated = [
            await client.get("/users/1"),
            await client.patch("/users/1", json={"name": "Eve"}),
            await client.patch("/users/1", json={"name": "Eve"}),
        ]
    await engine.dispose()

    assert {answer.status_code for answer in (*known, read, repeated)} == {200}
    assert problem_of(changed) == problem(503, "database_unavailable", "The schema changed a moment ago")
    assert changed.headers["retry-after"] == "1"
