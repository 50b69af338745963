"""Roles: what a role, or the settings that hang on it, may do to the service."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from app import create_app
from app.database_url import DatabaseUrl
from app.settings import Settings
from tests.clients import client_of
from tests.databases import empty_database, migrate
from tests.migrations import execute


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
            found = [await client.get(path) for path in ("/users?q=ada", "/developers?q=a%5C_b")]

    assert [answer.status_code for answer in found] == [200, 200]
