"""Databases: fresh ones for the tests, on TEST_DATABASE_URL's server or on the embedded one."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
from advanced_alchemy.alembic.commands import AlembicCommands
from anyio import to_thread
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.database import embedded
from app.database.engine import configure_database, database_url
from app.environment import read_environment
from app.settings import Settings, load_settings
from app.settings.database_url import DatabaseUrl


def test_server() -> DatabaseUrl:
    """Where tests may create databases; never DATABASE_URL."""
    given = load_settings()
    return database_url(msgspec.structs.replace(given, database_url=given.test_database_url))


test_server.__test__ = False  # type: ignore[attr-defined]  # a name that pytest would collect


def engine_of(url: DatabaseUrl) -> AsyncEngine:
    """An engine for a test's own look at the database; each statement commits by itself."""
    return create_async_engine(url.url, connect_args=url.connect_args, isolation_level="AUTOCOMMIT")


@asynccontextmanager
async def empty_database(server: DatabaseUrl | None = None, options: str = "") -> AsyncIterator[DatabaseUrl]:
    """A database without tables, gone afterwards."""
    server = server or test_server()
    name = f"test_{secrets.token_hex(6)}"
    engine = engine_of(server)
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 {options}"))
        # A test that survives a crash of the machine is of no use to anybody.
        await connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    try:
        yield msgspec.structs.replace(server, url=server.url.set(database=name))
    finally:
        async with engine.connect() as connection:
            await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        await engine.dispose()


def as_text(url: DatabaseUrl) -> str:
    """The address of a test's database for another process' DATABASE_URL."""
    given = load_settings()
    if "host" in url.url.query:
        there = url.url
    elif given.test_database_url is None:
        there = url.url.update_query_dict({"host": embedded.start(Path(given.embedded_data_dir))})
    else:
        text = os.environ.get("TEST_DATABASE_URL") or read_environment(Path(".env"))["TEST_DATABASE_URL"]
        there = make_url(text).set(database=url.url.database)
    return there.render_as_string(hide_password=False)


def alembic_commands(url: DatabaseUrl, scripts: Path | None = None) -> AlembicCommands:
    """What `litestar database ...` runs, on the project's migrations or on those of another folder."""
    config = configure_database(Settings(database_url=url))
    if scripts is not None:
        config.alembic_config.script_location = str(scripts)
    return AlembicCommands(config)


async def migrate(url: DatabaseUrl, revision: str = "head", scripts: Path | None = None) -> None:
    """Bring a database up to a revision, as `litestar database upgrade` does."""
    await to_thread.run_sync(partial(alembic_commands(url, scripts).upgrade, revision))
