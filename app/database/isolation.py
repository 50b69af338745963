"""Isolation: a unit of work at a stronger level than READ COMMITTED, run again when PostgreSQL asks for that."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from asyncpg import DeadlockDetectedError, InvalidCachedStatementError, SerializationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

T = TypeVar("T")

Level = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

_TRY_AGAIN = (SerializationError, DeadlockDetectedError, InvalidCachedStatementError)
"""A conflict with another transaction, a deadlock, a table that changed: nothing is wrong with the work itself."""
_FIRST_WAIT = 0.01
"""Seconds; doubled with each attempt."""


async def run_isolated(
    engine: AsyncEngine,
    work: Callable[[AsyncSession], Awaitable[T]],
    *,
    level: Level = "SERIALIZABLE",
    attempts: int = 5,
) -> T:
    """Run `work` in a transaction of its own and commit; on a conflict roll back, wait a little and run it again.

    `work` may run `attempts` times, so it must touch nothing but its session. Raises: what `work` and COMMIT raise, and
    after the last attempt the conflict, which becomes a 503 that says when to come back.
    """
    for attempt in range(attempts):
        try:
            async with AsyncSession(engine, expire_on_commit=False, autoflush=False) as session, session.begin():
                await session.connection(execution_options={"isolation_level": level})
                return await work(session)
        except DBAPIError as error:
            if attempt + 1 == attempts or not isinstance(error.orig and error.orig.__cause__, _TRY_AGAIN):
                raise
        # Between none and all of the time, or those who met would meet again.
        await asyncio.sleep(random.uniform(0, _FIRST_WAIT * 2**attempt))  # noqa: S311  # no secret
    raise AssertionError("there is at least one attempt")
