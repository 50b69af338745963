"""Roles: what a role, or the settings that hang on it, may do to the service."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from anyio import to_thread

from app import create_app
from app.operations.connection_budget import log_connection_budget
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.commands import Shell
from tests.databases import empty_database, migrate
from tests.faults.services import ada
from tests.migrations import execute
from tests.test_readme import block


@pytest.fixture
async def migrated() -> AsyncIterator[DatabaseUrl]:
    async with empty_database() as url:
        await migrate(url)
        yield url


@asynccontextmanager
async def role(owner: DatabaseUrl, *grants: str) -> AsyncIterator[DatabaseUrl]:
    """A role that may do what is granted; `{role}` in a grant is its name."""
    name = f"role_{secrets.token_hex(4)}"
    await execute(owner, f"CREATE ROLE {name} LOGIN;" + ";".join(grants).format(role=name))
    try:
        yield msgspec.structs.replace(owner, url=owner.url.set(username=name))
    finally:
        await execute(owner, f"DROP OWNED BY {name}; DROP ROLE {name}")


async def test_a_search_works_whatever_a_role_says_about_backslashes(migrated: DatabaseUrl) -> None:
    async with role(
        migrated, "GRANT pg_read_all_data TO {role}", "ALTER ROLE {role} SET standard_conforming_strings = off"
    ) as url:
        app = create_app(Settings(database_url=url, log_format="json", log_level="error"))
        async with app.lifespan(), client_of(app) as client:
            found = [await client.get(path) for path in ("/users?q=ada", "/users?q=a%5C_b")]

    assert [answer.status_code for answer in found] == [200, 200]


SERVES = block("sql", "Going to production")


async def test_a_role_that_only_serves_may_do_what_the_readme_grants(
    migrated: DatabaseUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    async with role(migrated) as url:
        await execute(migrated, SERVES.replace("service", str(url.url.username)))
        settings = Settings(database_url=url, log_format="json", log_level="warning")
        app = create_app(settings)
        async with app.lifespan(), client_of(app) as client:
            ready = await client.get("/health/ready")
            made = [
                await client.post("/users", json=ada(1)),
                await client.post("/users", json=ada(2)),
                await client.post("/sessions", json={"email": ada(1)["email"], "password": ada(1)["password"]}),
                await client.patch("/users/1", json={"name": "Eve"}),
                await client.get("/users?q=eve"),
                await client.delete("/users/1"),
                await client.get("/users"),
            ]
        exported = await Shell(url).run("users", "export", "--format=csv", "-")
        await to_thread.run_sync(log_connection_budget, settings, 1)

    assert [answer.status_code for answer in made] == [201, 201, 201, 200, 200, 204, 200]
    assert (ready.status_code, made[-1].json()["total"], exported.exit_code) == (200, 1, 0)
    assert capsys.readouterr().err == ""


async def test_rows_that_a_policy_hides_are_warned_of_once(
    migrated: DatabaseUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    await execute(migrated, "ALTER TABLE users ENABLE ROW LEVEL SECURITY")
    async with role(migrated) as url:
        await execute(migrated, SERVES.replace("service", str(url.url.username)))
        settings = Settings(database_url=url, log_format="json", log_level="warning")
        create_app(settings)
        await to_thread.run_sync(log_connection_budget, settings, 2)

    (line,) = capsys.readouterr().err.splitlines()
    assert "Row-level security applies to users" in line


@pytest.mark.parametrize("limited", ["ROLE {role}", "DATABASE {database}"])
async def test_a_limit_on_connections_is_known_and_waited_for(
    migrated: DatabaseUrl, capsys: pytest.CaptureFixture[str], limited: str
) -> None:
    async with role(migrated) as url:
        name = str(url.url.username)
        await execute(migrated, SERVES.replace("service", name))
        target = limited.format(role=name, database=url.url.database)
        await execute(migrated, f"ALTER {target} CONNECTION LIMIT 2")
        settings = Settings(database_url=url, log_format="json", log_level="warning")
        app = create_app(settings)
        async with app.lifespan(), client_of(app) as client:
            answers = await asyncio.gather(*(client.get(f"/users?page={n}") for n in range(1, 40)))
        await to_thread.run_sync(log_connection_budget, settings, 1)

    told, kind = capsys.readouterr().err, limited.split()[0].lower()
    assert {answer.status_code for answer in answers} == {200}
    assert f"allows only 2: lower DB_POOL_SIZE or DB_MAX_OVERFLOW, or raise the CONNECTION LIMIT of the {kind}" in told
