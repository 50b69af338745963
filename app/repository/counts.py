"""Counts: how many rows a table has, kept by triggers so that nobody has to count."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from asyncpg import PostgresError
from sqlalchemy import BigInteger, Column, ScalarSelect, String, Table, cast, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.database.model import Model

row_counts = Table(
    "row_counts",
    Model.metadata,
    # A table's count is the sum of its slots. A writer adds to one that nobody else is adding to, and so never waits.
    Column("table_name", String(63), primary_key=True),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("total", BigInteger, nullable=False),
)


def row_count(table_name: str) -> ScalarSelect[int]:
    """The number of rows of a table, exact in the snapshot of the statement that asks. Costs some 16 rows."""
    total = func.coalesce(func.sum(row_counts.c.total), literal_column("0"))
    return select(cast(total, BigInteger)).where(row_counts.c.table_name == table_name).scalar_subquery()


TRIGGERS = """
(SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'D' AND tgfoid = to_regproc('count_rows')
 AND tgargs = convert_to($1, 'UTF8') || '\\x00')
"""
"""How many of its three triggers keep the total of $1."""


def counted_tables() -> list[str]:
    """The tables of all lists."""
    return sorted(table.name for table in Model.metadata.tables.values() if table.info.get("counted"))


async def wrong_totals(connection: AsyncConnection) -> list[str]:
    """The tables whose total is not kept, or is off, as far as a second is enough to count them."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None  # noqa: S101  # it is open
    wrong = []
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            for table in counted_tables():
                rows = f"(SELECT count(*) FROM {table})"  # noqa: S608  # our own names
                counted = "(SELECT coalesce(sum(total), 0) FROM row_counts WHERE table_name = $1)"
                with suppress(PostgresError):  # Not migrated, or not ours to read; others say so.
                    if await driver.fetchval(f"SELECT {TRIGGERS} < 3 OR {rows} <> {counted}", table):
                        wrong.append(table)
    return wrong
