"""Beside: what is done again and again beside the requests, while the service lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def beside(work: Callable[[], Awaitable[object]], seconds: Callable[[], float]) -> AsyncIterator[None]:
    """Do some work, which may not fail, each time that so many seconds have passed."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(seconds())
            await work()

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
