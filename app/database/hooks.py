"""Hooks: what the pool does besides pooling, to a connection that comes, goes or begins."""

from __future__ import annotations

import time
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from app.database.connector import CONNECTION_ERRORS
from app.database.pool import Pool
from app.settings import Settings
from app.settings.database_url import DatabaseUrl

PING_TIMEOUT = 0.5
"""Seconds within which a connection that has rested must answer."""


def attach_hooks(engine: AsyncEngine, settings: Settings, database: DatabaseUrl) -> None:
    timeouts = 0

    def pool() -> Pool:
        return cast("Pool", engine.sync_engine.pool)

    @event.listens_for(engine.sync_engine, "checkin")
    def mark_used(connection: Any, record: Any) -> None:
        record.info["used_at"] = now = time.monotonic()
        if connection is not None and not connection.driver_connection.is_closed():
            pool().answered_at = now

    @event.listens_for(engine.sync_engine, "checkout")
    def ping(connection: Any, record: Any, _proxy: Any) -> None:
        """Replace a dead connection. One that was used a moment ago is not asked: that costs a round trip."""
        nonlocal timeouts
        if not in_greenlet():
            return  # `acquire_nowait` has just judged it.
        driver = connection.driver_connection
        if driver.is_closed():
            # A new one that is closed already is not worth another try.
            raise DisconnectionError if "used_at" in record.info else ConnectionResetError
        if settings.db_pool_pre_ping and not pool().is_fresh(record):
            try:
                await_only(driver.execute("SELECT 1", timeout=PING_TIMEOUT))
            except CONNECTION_ERRORS as error:
                timeouts = timeouts + 1 if isinstance(error, TimeoutError) else 0
                # Where two in a row have died in silence the others have too: renew them without asking each.
                raise (InvalidatePoolError if timeouts > 1 else DisconnectionError) from error
            timeouts = 0

    @event.listens_for(engine.sync_engine, "connect")
    def count(_connection: Any, _record: Any) -> None:
        pool().alive += 1

    @event.listens_for(engine.sync_engine, "close")
    def terminate(connection: Any, _record: Any) -> None:
        """Close the socket at once: a polite good-bye would wait, on a dead network for ever."""
        connection.driver_connection.terminate()
        pool().alive -= 1

    if database.transaction_pooling:
        milliseconds = int(settings.db_statement_timeout * 1000)
        limits = (
            f"SELECT set_config('statement_timeout', '{milliseconds}', true),"
            f" set_config('idle_in_transaction_session_timeout', '{milliseconds}', true)"
        )

        @event.listens_for(engine.sync_engine, "begin")
        def limit(connection: Any) -> None:
            connection.exec_driver_sql(limits)
