"""Upkeep: what has expired is deleted now and then, by one worker at a time, without a scheduler."""

from __future__ import annotations

import random
import time
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from asyncpg import PostgresError
from sqlalchemy import TextClause, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.beside import beside
from app.database.errors import DRIVER_ERRORS, root_cause
from app.database.failures import reason_of
from app.repository.limits import KNOWN

EXPIRED = {
    "sessions": "expires_at < now()",
    "password_resets": "expires_at < now()",
    "idempotency_keys": "expires_at < now()",
    "throttles": "free_at < now()",
    "known_networks": f"seen_at < now() - {KNOWN}",
}
"""By table: the condition of what nobody needs any more."""
AT_ONCE = 1_000
"""Rows of one statement."""
_LONGEST = 5.0
"""Seconds after which the rest has to wait for the next time."""
_INTERVAL = (30.0, 90.0)
_MINE = text("SELECT pg_try_advisory_xact_lock(8461213770185433)")
"""In a transaction, so that a pooler cannot keep it."""
# What writers above READ COMMITTED have left. Whoever else folds the same deletes each once, too.
_FOLD = text("""
    WITH spare AS (DELETE FROM row_counts WHERE slot < 0 AND table_name IN
        (SELECT table_name FROM row_counts WHERE slot < 0 GROUP BY 1 HAVING count(*) > 16) RETURNING table_name, total)
    INSERT INTO row_counts SELECT table_name, -pg_current_xact_id()::text::bigint, sum(total) FROM spare GROUP BY 1
""")
_log = structlog.get_logger("app.upkeep")


class Upkeep:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._told: dict[str, str] = {}
        """By table: why it was left as it is."""

    async def run(self) -> None:
        """Delete and fold for some seconds, unless somebody else does. What is locked stays until the next time, and so
        does a table that cannot be kept, which holds up no other. Raises: what tells that no database answered."""
        began = time.monotonic()
        for table, condition in EXPIRED.items():
            deleted = text(f"""DELETE FROM {table} WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM {table} WHERE {condition} LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED))""")
            while await self._keep(table, deleted) == AT_ONCE and time.monotonic() < began + _LONGEST:
                pass
        await self._keep("row_counts", _FOLD)

    async def _keep(self, table: str, statement: TextClause) -> int:
        """How many rows that was; none where it failed, which is told once."""
        try:
            count = await self._do(statement)
        except (SQLAlchemyError, *DRIVER_ERRORS) as error:
            if not isinstance(cause := root_cause(error), PostgresError):
                raise
            if self._told.get(table) != (reason := reason_of(cause)):
                self._told[table] = reason
                _log.warning("No upkeep", table=table, reason=reason)
            return 0
        self._told.pop(table, None)
        return count

    async def _do(self, statement: TextClause) -> int:
        """How many rows that was; none where somebody else is at it."""
        async with self._engine.begin() as connection:
            if not await connection.scalar(_MINE):
                return 0
            return int((await connection.execute(statement)).rowcount)

    def lifespan(self, _app: Any) -> AbstractAsyncContextManager[None]:
        return beside(self._try, lambda: random.uniform(*_INTERVAL))  # noqa: S311  # no secret

    async def _try(self) -> None:
        try:
            await self.run()
        except (SQLAlchemyError, *DRIVER_ERRORS) as error:
            _log.debug("no upkeep", exc_info=error)
