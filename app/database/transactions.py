"""Transactions: what is committed, when, and at which level."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal, TypeVar

from asyncpg import DeadlockDetectedError, InvalidCachedStatementError, SerializationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

T = TypeVar("T")
Level = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

_RETRYABLE = (SerializationError, DeadlockDetectedError, InvalidCachedStatementError)
"""A conflict with another transaction, a deadlock, a table that changed: nothing is wrong with the work itself."""

_FIRST_DELAY = 0.01
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
            if attempt + 1 == attempts or not isinstance(error.orig and error.orig.__cause__, _RETRYABLE):
                raise
        # Between none and all of the time, or those who met would meet again.
        await asyncio.sleep(random.uniform(0, _FIRST_DELAY * 2**attempt))  # noqa: S311  # no secret
    raise AssertionError("there is at least one attempt")


ROLLBACK_TIMEOUT = 0.5
"""Seconds that ending a session may take, on a network that may be dead."""


@asynccontextmanager
async def committed(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """Commit what is done within, roll back on any exception, and give the connection back in every case."""
    try:
        yield session
        await session.commit()
    except (TimeoutError, asyncio.CancelledError):
        # The connection may be in the middle of anything, on a network that swallows what we say.
        await session.invalidate()
        raise
    finally:
        await _close(session)


async def _close(session: AsyncSession) -> None:
    """Give the connection back. The ROLLBACK that this sends may meet a dead network, hence the limit."""
    try:
        async with asyncio.timeout(ROLLBACK_TIMEOUT):
            await session.close()
    except asyncio.CancelledError:
        await session.invalidate()
        raise
    except (SQLAlchemyError, OSError):
        # What it was good for is committed, or has failed already.
        await session.invalidate()
