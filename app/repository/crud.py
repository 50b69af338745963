"""CRUD: what repositories do alike."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session

from app.problems import Missing, PreconditionFailed
from app.repository.schemas import LARGEST_BIGINT


class Versioned(Protocol):
    version: Any


V = TypeVar("V", bound=Versioned)
Session = AsyncSession | async_scoped_session[AsyncSession]


async def locked(session: Session, model: type[V], row_id: int, *, expected: frozenset[int] | None, noun: str) -> V:
    """Lock a row, so that without If-Match the last writer wins instead of losing to another.

    Raises: Missing, PreconditionFailed.
    """
    row = await session.get(model, row_id, with_for_update=True) if 0 < row_id <= LARGEST_BIGINT else None
    if row is None:
        raise Missing(noun)
    if expected is not None and row.version not in expected:
        raise PreconditionFailed
    return row
