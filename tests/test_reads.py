"""Reads: what a failed read leaves behind."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import BigInteger, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.engine import configure_database
from app.repository.reader import Reader, render
from app.resources.users.model import User
from app.settings import Settings
from app.settings.database_url import DatabaseUrl

_BY_ID = render(select(User.name).where(User.id == bindparam("id", type_=BigInteger)))
_FAILING = render(select(1 / bindparam("zero", type_=BigInteger)))


async def test_a_read_whose_values_cannot_be_sent_holds_no_lock(database: DatabaseUrl, engine: AsyncEngine) -> None:
    service = configure_database(Settings(database_url=database)).get_engine()
    reader = Reader(service, limit=5)

    with pytest.raises(asyncpg.DataError):
        await reader.records(_BY_ID, {"id": "not a number"})

    async with engine.connect() as connection:
        await connection.execute(text("SET lock_timeout = '2s'"))
        await connection.execute(text("TRUNCATE users CASCADE"))
    await service.dispose()


async def test_a_read_that_the_server_ends_keeps_its_connection(database: DatabaseUrl) -> None:
    service = configure_database(Settings(database_url=database)).get_engine()
    reader = Reader(service, limit=5)
    backend = render(select(text("pg_backend_pid()")))
    before = await reader.records(backend, {})

    with pytest.raises(asyncpg.DivisionByZeroError):
        await reader.records(_FAILING, {"zero": 0})

    assert await reader.records(backend, {}) == before
    await service.dispose()


async def test_a_connection_past_its_time_is_renewed(database: DatabaseUrl) -> None:
    service = configure_database(Settings(database_url=database, db_pool_recycle=0)).get_engine()
    reader = Reader(service, limit=5)
    backend = render(select(text("pg_backend_pid()")))

    backends = {(await reader.records(backend, {}))[0][0] for _ in range(3)}

    assert len(backends) == 3
    await service.dispose()


async def test_a_connection_is_kept_otherwise(database: DatabaseUrl) -> None:
    service = configure_database(Settings(database_url=database)).get_engine()
    reader = Reader(service, limit=5)
    backend = render(select(text("pg_backend_pid()")))

    backends = {(await reader.records(backend, {}))[0][0] for _ in range(3)}

    assert len(backends) == 1
    await service.dispose()


async def test_echo_shows_the_statement_and_not_its_values(
    database: DatabaseUrl, caplog: pytest.LogCaptureFixture
) -> None:
    service = configure_database(Settings(database_url=database, db_echo=True)).get_engine()
    reader = Reader(service, limit=5)

    with caplog.at_level("INFO"):
        await reader.records(_BY_ID, {"id": 8_124_577})

    assert "SELECT users.name" in caplog.text
    assert "8124577" not in caplog.text
    await service.dispose()
