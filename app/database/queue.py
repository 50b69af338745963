"""Queue: the idle connections of a pool, last in first out; whoever waits is handed what comes back, in turn."""

from __future__ import annotations

import asyncio
from collections import deque

from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only
from sqlalchemy.util.queue import Empty, QueueCommon


class FairQueue(QueueCommon[ConnectionPoolEntry]):
    """asyncio's queue wakes one of those who wait, but whoever comes in between may take what was meant for them, and
    sends them to the end of the line. Here it is theirs when it comes back."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = True) -> None:
        self.maxsize, self.use_lifo = maxsize, use_lifo
        self._idle: list[ConnectionPoolEntry] = []
        self._waiting: deque[asyncio.Future[ConnectionPoolEntry]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait; while anybody does, nothing is idle."""
        return len(self._waiting)

    def qsize(self) -> int:
        return len(self._idle)

    def put(self, item: ConnectionPoolEntry, block: bool = True, timeout: float | None = None) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(item)
        else:
            self._idle.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        """Raises: Empty."""
        if self._idle:
            return self._idle.pop()
        if not block:
            raise Empty
        return await_only(self.wait(timeout))

    def peek(self) -> ConnectionPoolEntry | None:
        """What `get` would return at once."""
        return self._idle[-1] if self._idle else None

    def put_on_top(self, item: ConnectionPoolEntry) -> None:
        """Let whoever calls `get` next, in this turn of the loop, have it."""
        self._idle.append(item)

    async def wait(self, timeout: float | None) -> ConnectionPoolEntry:  # noqa: ASYNC109
        """What comes back next, for those who waited before excepted. Raises: Empty."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(future)
        except (TimeoutError, asyncio.CancelledError) as error:
            if future.done():
                self.put(future.result())
            else:
                self._waiting.remove(future)
            if isinstance(error, TimeoutError):
                raise Empty from None
            raise
