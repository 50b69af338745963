"""Migration lock: one command at a time works on the schema of a database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import structlog
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

LOCK_KEY = 0x5573657273  # "Users": whoever else migrates this database waits here.
TAKE_LOCK = f"SELECT pg_advisory_xact_lock({LOCK_KEY})"
UNHURRIED = "SET LOCAL idle_in_transaction_session_timeout = 0"
_POLL_INTERVAL = 0.2
"""Seconds between two looks whether another command has ended."""
_SECOND_CONNECTION_TIMEOUT = 3.0
"""Seconds after which a pooler that gives no second connection is taken to have only one."""
_log = structlog.get_logger("app.database.migration_lock")


@asynccontextmanager
async def exclusive(engine: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, bool]]:
    """A connection while other commands on this database wait, and whether they do so across its transactions.

    The lock is a transaction's, because a session outlives its client behind a pooler, and on a connection of its own,
    because migrations commit. Neither who holds it nor who waits keeps a snapshot: CREATE INDEX CONCURRENTLY would
    wait for that.
    """
    borrowed = await greenlet_spawn(engine.sync_engine.pool.recreate().connect)
    try:
        await _lock(borrowed.driver_connection)
        if (connection := await _second_connection(engine)) is not None:
            try:
                yield connection, True
            finally:
                await connection.close()
            return
    finally:
        await greenlet_spawn(borrowed.invalidate)
    _log.info("The pooler has one connection only: others may migrate between two transactions")
    async with engine.connect() as connection:
        yield connection, False


async def _second_connection(engine: AsyncEngine) -> AsyncConnection | None:
    """Another connection, unless a pooler has no more."""
    async with AsyncExitStack() as stack:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SECOND_CONNECTION_TIMEOUT):
                connection = await stack.enter_async_context(engine.connect())
                await connection.exec_driver_sql("SELECT")
                await connection.rollback()
                stack.pop_all()
                return connection
    return None


@asynccontextmanager
async def unlocked(engine: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, bool]]:
    """A connection for what changes nothing."""
    async with engine.connect() as connection:
        yield connection, True


async def _lock(driver: Any) -> None:
    waiting = False
    while True:
        await driver.execute(f"BEGIN; {UNHURRIED}")
        if await driver.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK_KEY):
            # The driver's portal keeps a snapshot until the next simple query.
            await driver.execute("SELECT")
            return
        await driver.execute("ROLLBACK")
        if not waiting:
            _log.info("Waiting for another migration of this database")
            waiting = True
        await asyncio.sleep(_POLL_INTERVAL)


def lock_transaction(connection: Connection) -> None:
    """Have other commands wait until the end of the transaction that this begins."""
    while not connection.scalar(select(func.pg_try_advisory_xact_lock(LOCK_KEY))):
        connection.rollback()
        time.sleep(_POLL_INTERVAL)
