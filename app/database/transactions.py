"""Transactions: what is committed, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

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
