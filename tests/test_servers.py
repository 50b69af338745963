"""Servers: older ones, others' builds and extensions in other places, as far as they can be had or imitated."""

from __future__ import annotations

import asyncio
import re
import shutil
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from alembic.util import CommandError
from anyio import to_thread
from sqlalchemy import make_url

from app import create_app
from app.database.engine import ROOT
from app.operations.connection_budget import log_connection_budget
from app.settings import Settings
from app.settings.database_url import DatabaseUrl, parse_database_url
from tests.clients import client_of
from tests.databases import as_text, empty_database, migrate
from tests.migrations import Newer, execute, rows

_REFUSAL = b'SFATAL\0VFATAL\0C42704\0Munrecognized configuration parameter "client_connection_check_interval"\0\0'


@asynccontextmanager
async def older_server(url: DatabaseUrl) -> AsyncIterator[DatabaseUrl]:
    """The same database behind something that speaks as PostgreSQL 13 does; how a session begins is all it changes."""
    there = make_url(as_text(url))
    folder = there.query.get("host")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(re.sub(rb"(server_version\0)\d\d", rb"\g<1>13", data))
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = await reader.readexactly(4)
        start = await reader.readexactly(struct.unpack("!i", size)[0] - 4)
        if b"client_connection_check_interval" in start:
            writer.write(b"E" + struct.pack("!i", len(_REFUSAL) + 4) + _REFUSAL)
            writer.close()
            return
        if folder:
            from_server, to_server = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{there.port or 5432}")
        else:
            from_server, to_server = await asyncio.open_connection(there.host, there.port or 5432)
        to_server.write(size + start)
        await asyncio.gather(pump(reader, to_server), pump(from_server, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        older = there.set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
        yield parse_database_url(older.render_as_string(hide_password=False))
    finally:
        server.close()


async def test_a_server_that_refuses_a_comfort_serves_without(capsys: pytest.CaptureFixture[str]) -> None:
    async with empty_database() as url:
        await migrate(url)
        async with older_server(url) as older:
            settings = Settings(database_url=older, log_format="json", log_level="warning")
            app = create_app(settings)
            async with app.lifespan(), client_of(app) as client:
                answers = [await client.get(path) for path in ("/health/ready", "/users", "/users/1")]
            await to_thread.run_sync(log_connection_budget, settings, 1)

    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert "The server is PostgreSQL 13, 14 or newer is needed" in capsys.readouterr().err


async def test_an_upgrade_on_a_server_that_is_too_old_is_one_line() -> None:
    async with empty_database() as url, older_server(url) as older:
        with pytest.raises(CommandError, match=r"^The server is PostgreSQL 13, 14 or newer is needed$"):
            await migrate(older)


async def test_what_the_server_warns_of_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    newer = Newer(shutil.copytree(ROOT / "alembic", tmp_path / "alembic"))
    newer.add("warns", up="op.execute(\"DO $$ BEGIN RAISE WARNING 'look out'; RAISE NOTICE 'never mind'; END $$\")")
    async with empty_database() as url:
        await migrate(url)
        caplog.clear()
        with caplog.at_level("INFO"):
            await migrate(url, scripts=newer.scripts)

    told = " ".join(record.getMessage() for record in caplog.records)
    assert "look out" in told
    assert "never mind" not in told


async def test_an_extension_may_be_in_a_schema_of_its_own(contrib: DatabaseUrl) -> None:
    async with empty_database(contrib) as url:
        await execute(url, 'CREATE SCHEMA "Their extensions"; CREATE EXTENSION pg_trgm SCHEMA "Their extensions"')

        await migrate(url)

        indexes = await rows(url, "SELECT indexname FROM pg_indexes WHERE indexname = 'ix_users_trgm'")
    assert indexes == [("ix_users_trgm",)]
