"""Letter case: two spellings of an address are one account, whatever the locale of the database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, cast

import httpx
import pytest
from alembic.util import CommandError
from anyio import to_thread
from sqlalchemy import text

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.commands import Shell
from tests.databases import alembic_commands, empty_database, engine_of, migrate
from tests.test_counts import run
from tests.test_users import sign_up

TURKISH = "LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C'"
SPELLINGS = [
    ("info@example.com", "INFO@Example.com"),
    ("élan@example.com", "ÉLAN@example.com"),
    ("\u03b1\u03c2@example.com", "\u0391\u03a3@example.com"),  # a final sigma
    ("\u01f0@example.com", "J\u030c@example.com"),  # one letter in small, a letter and its accent in capitals
]


@pytest.fixture(params=["embedded", "C", "Turkish"])
async def somewhere(request: pytest.FixtureRequest) -> AsyncIterator[DatabaseUrl]:
    """An empty database in a locale that has its own idea of letter case."""
    server = None if request.param == "embedded" else request.getfixturevalue("contrib")
    async with empty_database(server, TURKISH if request.param == "Turkish" else "") as url:
        yield url


@pytest.fixture
async def there(somewhere: DatabaseUrl) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service on that database."""
    await migrate(somewhere)
    app = create_app(Settings(database_url=somewhere, log_format="json", log_level="warning"))
    transport = httpx.ASGITransport(app=cast("Any", app), client=("127.0.0.1", 50_000))
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_an_address_belongs_to_one_account(there: httpx.AsyncClient) -> None:
    taken = [(await sign_up(there, email=email)).status_code for pair in SPELLINGS for email in pair]

    assert taken == [201, 409] * len(SPELLINGS)


async def test_it_is_found_in_any_spelling(there: httpx.AsyncClient) -> None:
    for email, _ in SPELLINGS:
        await sign_up(there, email=email)

    found = [(await there.get("/users", params={"email": email})).json()["items"] for _, email in SPELLINGS]

    assert [[user["email"] for user in users] for users in found] == [[email] for email, _ in SPELLINGS]


@pytest.mark.parametrize("choice", ["skip", "update"])
async def test_an_import_knows_who_is_there(there: httpx.AsyncClient, somewhere: DatabaseUrl, choice: str) -> None:
    for email, _ in SPELLINGS:
        await sign_up(there, name="n", email=email)
    file = "".join(
        json.dumps({"name": "m", "email": email, "password": "correct horse"}) + "\n" for _, email in SPELLINGS
    )

    await Shell(somewhere).run("users", "import", "-", "--format=jsonl", f"--on-conflict={choice}", stdin=file.encode())

    stored = (await there.get("/users")).json()["items"]
    assert [user["name"] for user in stored] == ["m" if choice == "update" else "n"] * len(SPELLINGS)


async def test_addresses_that_become_one_are_refused_with_their_rows(contrib: DatabaseUrl) -> None:
    async with empty_database(contrib) as url:
        await migrate(url, "20261125_counts")
        engine = engine_of(url)
        add = "INSERT INTO users (name, email, hashed_password) VALUES ('n', '{}', 'x')"
        await run(engine, *(add.format(email) for email in ("ÉLAN@example.com", "a@example.com", "élan@example.com")))

        with pytest.raises(CommandError, match="of users the rows 1 and 3"):
            await migrate(url)

        await run(engine, "DELETE FROM users WHERE id = 3")
        await migrate(url)
        await engine.dispose()


async def test_going_back_keeps_every_address(somewhere: DatabaseUrl) -> None:
    await migrate(somewhere)
    engine = engine_of(somewhere)
    await run(engine, "INSERT INTO users (name, email, hashed_password) VALUES ('n', 'É@example.com', 'x')")

    await to_thread.run_sync(partial(alembic_commands(somewhere).downgrade, "20261125_counts"))

    async with engine.connect() as connection:
        index = await connection.scalar(text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_users_email'"))
    await engine.dispose()
    assert "lower((email)::text)" in str(index)
