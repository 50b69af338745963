"""Last use: when sessions were used, written beside the requests and never in their way."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import any_, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.beside import beside
from app.database.errors import DRIVER_ERRORS
from app.resources.sessions.model import Session

IS_STALE = Session.last_used_at < func.now() - timedelta(minutes=1)
_INTERVAL = 1.0
_log = structlog.get_logger("app.sessions")


class LastUse:
    """Collects the sessions that are used, and writes all of them once a second."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._used: set[int] = set()

    def note(self, session_id: int) -> None:
        self._used.add(session_id)

    async def write(self) -> None:
        """Whoever is locked, or cannot be written now, is noted again by the next request."""
        used, self._used = self._used, set()
        if not used:
            return
        noted = Session.id == any_(literal([*used], ARRAY(Session.id.type)))
        free = select(Session.id).where(noted, IS_STALE).with_for_update(skip_locked=True)
        written = update(Session).where(Session.id.in_(free)).values(last_used_at=func.now())
        try:
            async with self._engine.begin() as connection:
                await connection.execute(written)
        except (SQLAlchemyError, *DRIVER_ERRORS) as error:
            _log.debug("last use not written", exc_info=error)

    def lifespan(self, _app: Any) -> AbstractAsyncContextManager[None]:
        return beside(self.write, lambda: _INTERVAL)
