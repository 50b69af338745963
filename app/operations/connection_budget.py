"""Connection budget: how many connections all workers may open, and what a first look at the database shows."""

from __future__ import annotations

import asyncio
import logging
import socket
from threading import Thread
from typing import Any

from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.database.engine import configure_database, database_url
from app.database.errors import DRIVER_ERRORS
from app.database.failures import MIGRATE, explain
from app.database.migrations import server_complaint
from app.database.model import Model
from app.operations.health import Readiness
from app.problems import Unavailable
from app.repository.counts import wrong_totals
from app.repository.lookups import SharedFailure
from app.repository.reader import Reader
from app.settings import Settings

_logger = logging.getLogger(__name__)
_QUERY_TIMEOUT = 3.0
_LEAST = text(
    "SELECT allowed, name FROM (SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END),"
    " 'max_connections' FROM pg_settings"
    " WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')"
    " UNION ALL SELECT datconnlimit, 'the CONNECTION LIMIT of the database' FROM pg_database, pg_roles"
    " WHERE datname = current_database() AND rolname = current_user AND NOT rolsuper AND datconnlimit >= 0"
    " UNION ALL SELECT rolconnlimit, 'the CONNECTION LIMIT of the role' FROM pg_roles"
    " WHERE rolname = current_user AND NOT rolsuper AND rolconnlimit >= 0) AS limits (allowed, name)"
    " ORDER BY allowed LIMIT 1"
)
_HIDDEN = text(
    "SELECT name, row_security_active(name), NOT (has_table_privilege(name, 'SELECT')"
    " AND has_table_privilege(name, 'INSERT') AND has_table_privilege(name, 'UPDATE')"
    " AND has_table_privilege(name, 'DELETE')) FROM unnest(CAST(:names AS text[])) AS name"
    " WHERE to_regclass(name) IS NOT NULL ORDER BY name"
)


def log_connection_budget(settings: Settings, workers: int) -> None:
    """Log the sum at start-up. A database that cannot be used costs three seconds at most, and stops nothing."""
    each = settings.db_pool_size + settings.db_max_overflow
    needed = workers * each
    noun = f"{workers} worker{'' if workers == 1 else 's'}"
    total = f"{noun} x ({settings.db_pool_size} + {settings.db_max_overflow}) = {needed} connections at most"
    database = database_url(settings)
    if database.ignored:
        _logger.info("Parameters of DATABASE_URL that do nothing here: %s", ", ".join(database.ignored))
    seen = _look(settings)
    if isinstance(seen, str):
        _logger.warning("%s. %s", total, seen)
        return
    allowed, limit = seen
    if database.transaction_pooling:
        _logger.info("%s, to the pooler", total)
    elif needed <= allowed:
        _logger.info("%s, the database allows %s", total, allowed)
    else:
        advice = f"lower DB_POOL_SIZE or DB_MAX_OVERFLOW, or raise {limit}"
        _logger.warning("%s, but the database allows only %s: %s", total, allowed, advice)


def _look(settings: Settings) -> tuple[int, str] | str:
    """How many connections are allowed, and by which limit; or why there are none, as far as time allows."""
    found: list[tuple[int, str] | str] = []
    config, pooled = configure_database(settings), database_url(settings).transaction_pooling
    name = config.get_engine().url.database

    def query() -> None:
        try:
            with asyncio.Runner(loop_factory=_Loop) as runner:
                found.append(runner.run(_first_look(config.get_engine(), pooled)))
        except CommandError as error:
            found.append(str(error))
        except (Unavailable, SQLAlchemyError, SharedFailure, *DRIVER_ERRORS) as error:
            told = f"{error}: {MIGRATE}" if isinstance(error, Unavailable) else explain(error, name)
            found.append(told)

    thread = Thread(target=query, daemon=True)
    thread.start()
    thread.join(_QUERY_TIMEOUT)
    return found[0] if found else f"Cannot use the database {name}: no answer yet"


class _Loop(asyncio.SelectorEventLoop):
    """A name server that is silent holds up this loop alone: asyncio would wait for its own threads, even at exit."""

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        return socket.getaddrinfo(host, port, **how)


async def _first_look(engine: AsyncEngine, pooled: bool) -> tuple[int, str]:
    try:
        async with asyncio.timeout(_QUERY_TIMEOUT):
            async with engine.connect() as connection:
                allowed, limit = (await connection.execute(_LEAST)).one()
                await _warn(connection, pooled)
            reader = Reader(engine, limit=_QUERY_TIMEOUT, statement_timeout=_QUERY_TIMEOUT)
            if (await Readiness(reader).check()).status != "ok":
                _logger.warning("The database takes no writes: those are 503 until it does")
            return allowed, limit
    finally:
        await engine.dispose()


async def _warn(connection: AsyncConnection, pooled: bool) -> None:
    """Log what the service starts with all the same."""
    if complaint := await connection.run_sync(server_complaint):
        _logger.warning(complaint)
    names = [str(mapper.local_table) for mapper in Model.registry.mappers]
    for table, is_hiding, is_lacking in await connection.execute(_HIDDEN, {"names": names}):
        if is_hiding:
            _logger.warning("Row-level security applies to %s: rows that it hides are not there for the service", table)
        if is_lacking:
            _logger.warning("The role lacks SELECT, INSERT, UPDATE or DELETE on %s: see README on roles", table)
    for table in () if pooled else await wrong_totals(connection):
        _logger.warning("The total of %s is wrong: run `litestar database recount`", table)
