"""Forgotten transactions of the service itself: the server ends them, and the client of one may repeat."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asyncpg.exceptions import IdleInTransactionSessionTimeoutError, TransactionTimeoutError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.formats import encoder
from app.bulk.staging import Staging, driver_of
from app.cli.exporting import _export
from app.http.exception_handlers import to_problem
from app.settings.database_url import DatabaseUrl
from tests.test_database import engine_with

SHOW = "SELECT current_setting('idle_in_transaction_session_timeout')"


@pytest.mark.parametrize("pooled", [False, True])
async def test_a_transaction_may_rest_as_long_as_a_statement_may_take(database: DatabaseUrl, pooled: bool) -> None:
    settings = engine_with(msgspec.structs.replace(database, transaction_pooling=pooled), db_statement_timeout=7.25)

    async with settings.begin() as connection:
        limits = [await connection.scalar(text(f"SHOW {name}")) for name in ("statement_timeout", SHOW.split("'")[1])]
    await settings.dispose()

    assert limits == ["7250ms", "7250ms"]


async def test_a_forgotten_transaction_is_ended_by_the_server(database: DatabaseUrl, engine: AsyncEngine) -> None:
    forgetful = engine_with(database, db_statement_timeout=0.2)
    there = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")

    async def forget() -> None:
        async with forgetful.begin() as connection, engine.connect() as looking, asyncio.timeout(20):
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
            while await looking.scalar(there, {"pid": pid}):
                await asyncio.sleep(0.02)
            await connection.execute(text("SELECT 1"))

    with pytest.raises((DBAPIError, OSError)) as failed:
        await forget()
    await forgetful.dispose()

    assert to_problem(failed.value).status == 503


@pytest.mark.parametrize("kind", [IdleInTransactionSessionTimeoutError, TransactionTimeoutError])
def test_a_transaction_that_was_ended_may_be_repeated(kind: type[Exception]) -> None:
    assert to_problem(kind("terminating connection")).status == 503


async def test_an_import_may_rest_for_as_long_as_it_hashes(database: DatabaseUrl) -> None:
    engine = engine_with(database)

    async with driver_of(engine) as driver, Staging(driver, "users", ["name", "email"]).transaction():
        limit = await driver.fetchval(SHOW)
    await engine.dispose()

    assert limit == "0"


async def test_an_export_may_rest_for_as_long_as_its_reader(database: DatabaseUrl, tmp_path: Path) -> None:
    engine = engine_with(database)
    asked: list[Any] = []

    with (tmp_path / "out").open("wb") as out:
        async with driver_of(engine) as driver:
            driver.add_query_logger(asked.append)
        await _export(engine, "users", ("id",), "csv", out)
    await engine.dispose()

    assert encoder("csv", ("id",))[0] == (tmp_path / "out").read_bytes()[:3]
    assert any("idle_in_transaction_session_timeout = 0" in record.query for record in asked)
