"""Spellings: what was stored before texts had one spelling is brought into it, and no row is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from unicodedata import normalize

import pytest
from anyio import to_thread

from app.settings.database_url import DatabaseUrl
from tests.databases import alembic_commands, empty_database, migrate
from tests.migrations import execute, rows, run

BEFORE = "20261125_versions"
NFD = normalize("NFD", "Renée")
USERS = [
    (NFD, "ada@xn--bcher-kva.example"),
    ("Bo", f"{NFD}@example.com"),
    ("Cy", "cy@BÜCHER。example"),
    ("Di", "di@example.com"),
    ("\u0958" * 100, "long@example.com"),  # twice as long in NFC
    (NFD, "ed@xn--a.example"),  # no valid domain
]
SPELT = [
    ("Renée", "ada@bücher.example"),
    ("Bo", "Renée@example.com"),
    ("Cy", "cy@bücher.example"),
    *USERS[3:5],
    ("Renée", "ed@xn--a.example"),
]
STORED = "SELECT name, email FROM users ORDER BY id"


def add(*users: tuple[str, str]) -> str:
    values = ", ".join(f"('{name}', '{email}', 'x')" for name, email in users)
    return f"INSERT INTO users (name, email, hashed_password) VALUES {values}"


@pytest.fixture
async def older() -> AsyncIterator[DatabaseUrl]:
    """A database of the version before."""
    async with empty_database() as url:
        await migrate(url, BEFORE)
        yield url


async def test_an_upgrade_spells_what_was_stored_before(older: DatabaseUrl) -> None:
    await execute(older, add(*USERS))
    before = await rows(older, "SELECT version FROM users ORDER BY id")

    for _ in range(2):
        await migrate(older)
        assert await rows(older, STORED) == SPELT
        await to_thread.run_sync(partial(alembic_commands(older).downgrade, BEFORE))

    after = await rows(older, "SELECT version FROM users ORDER BY id")
    assert [new > old for (new,), (old,) in zip(after, before, strict=True)] == [True] * 3 + [False] * 2 + [True]


async def test_twins_stay_as_they_are_and_are_named(older: DatabaseUrl) -> None:
    users = [
        ("one", "ann@xn--bcher-kva.example"),
        ("two", "Ann@bücher.example"),
        ("three", "bo@xn--bcher-kva.example"),
        ("four", "bo@bücher。example"),
        ("five", "cy@xn--bcher-kva.example"),
    ]
    await execute(older, add(*users))

    told = await run("litestar", "database", "upgrade", "--no-prompt", url=older, LOG_FORMAT="json")

    spelt = [*users[:2], ("three", "bo@bücher.example"), users[3], ("five", "cy@bücher.example")]
    assert await rows(older, STORED) == spelt
    lines = map(json.loads, told.splitlines())
    assert [line["event"] for line in lines if line["level"] == "warning"] == [
        "The row 1 of users keeps its spelling: the row 2 has that address",
        "The row 4 of users keeps its spelling: the row 3 has that address",
    ]


async def test_many_rows_are_changed_in_pieces(older: DatabaseUrl) -> None:
    await execute(
        older,
        "INSERT INTO users (name, email, hashed_password)"
        " SELECT 'n', CASE WHEN n % 2 = 0 THEN n || '@xn--bcher-kva.example' ELSE n || '@example.com' END, 'x'"
        " FROM generate_series(1, 500) AS n",
    )

    await migrate(older)

    moved = "SELECT count(*), count(DISTINCT xmin::text) > 1 FROM users WHERE email LIKE '%@bücher.example'"
    assert await rows(older, moved) == [(250, True)]


async def test_sql_for_psql_leaves_out_what_postgresql_cannot_do(older: DatabaseUrl) -> None:
    await execute(older, add(*USERS))
    sql = await run("alembic", "upgrade", f"{BEFORE}:head", "--sql", url=older, LOG_LEVEL="error")

    await execute(older, sql)

    domains_stay = [("Renée", USERS[0][1]), SPELT[1], *USERS[2:5], SPELT[5]]
    assert await rows(older, STORED) == domains_stay
