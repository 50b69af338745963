"""Beside: what is done again and again beside the requests, while the service lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

_log = structlog.get_logger("app.beside")


@asynccontextmanager
async def beside(work: Callable[[], Awaitable[object]], seconds: Callable[[], float]) -> AsyncIterator[None]:
    """Do some work, which may not fail, each time that so many seconds have passed."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(seconds())
            await work()

    task = asyncio.create_task(repeat())
    task.add_done_callback(_tell)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _tell(task: asyncio.Task[None]) -> None:
    """At once: else nobody would hear of it before the service ends."""
    if not task.cancelled() and (error := task.exception()):
        _log.error("Ended, and will not be done again", exc_info=error)
