"""Connection budget: how many connections all workers may open, and how many the server has for them."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from threading import Thread
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.connector import CONNECTION_ERRORS
from app.database.engine import configure_database, database_url
from app.repository.counts import wrong_totals
from app.settings import Settings

_logger = logging.getLogger(__name__)
_QUERY_TIMEOUT = 3.0
_ALLOWED = text(
    "SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END) FROM pg_settings"
    " WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')"
)


def log_connection_budget(settings: Settings, workers: int) -> None:
    """Log the sum at start-up. A server that does not answer costs three seconds and stops nothing."""
    each = settings.db_pool_size + settings.db_max_overflow
    needed = workers * each
    noun = f"{workers} worker{'' if workers == 1 else 's'}"
    total = f"{noun} x ({settings.db_pool_size} + {settings.db_max_overflow}) = {needed} connections at most"
    database = database_url(settings)
    if database.ignored:
        _logger.info("Parameters of DATABASE_URL that do nothing here: %s", ", ".join(database.ignored))
    if database.transaction_pooling:
        _logger.info("%s, to the pooler", total)
        return
    allowed = _query(settings)
    if allowed is None:
        _logger.warning("%s; the database does not answer yet", total)
    elif needed <= allowed:
        _logger.info("%s, the database allows %s", total, allowed)
    else:
        advice = "lower DB_POOL_SIZE or DB_MAX_OVERFLOW, or raise max_connections"
        _logger.warning("%s, but the database allows only %s: %s", total, allowed, advice)


def _query(settings: Settings) -> int | None:
    """What the server has for ordinary users, unless it takes too long to say so."""
    results: list[int] = []

    def query() -> None:
        with suppress(SQLAlchemyError, *CONNECTION_ERRORS), asyncio.Runner(loop_factory=_Loop) as runner:
            results.append(runner.run(_allowed(configure_database(settings).get_engine())))

    thread = Thread(target=query, daemon=True)
    thread.start()
    thread.join(_QUERY_TIMEOUT)
    return results[0] if results else None


class _Loop(asyncio.SelectorEventLoop):
    """A name server that is silent holds up this loop alone: asyncio would wait for its own threads, even at exit."""

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        return socket.getaddrinfo(host, port, **how)


async def _allowed(engine: AsyncEngine) -> int:
    """What `max_connections` leaves to ordinary users."""
    try:
        async with asyncio.timeout(_QUERY_TIMEOUT), engine.connect() as connection:
            allowed = int((await connection.execute(_ALLOWED)).scalar_one())
            for table in await wrong_totals(connection):
                _logger.warning("The total of %s is wrong: run `litestar database recount`", table)
            return allowed
    finally:
        await engine.dispose()
