"""Queue: the idle connections of a pool, last in first out; whoever waits is handed what comes back."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeAlias

from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only
from sqlalchemy.util.queue import Empty, QueueCommon

Line: TypeAlias = deque[asyncio.Future[ConnectionPoolEntry]]


class FairQueue(QueueCommon[ConnectionPoolEntry]):
    """Two lines that are served by turns, each in order: reads that take a moment, and transactions.

    asyncio's queue wakes one of those who wait, but whoever comes in between may take what was meant for them, and
    sends them to the end of the line. Here it is theirs when it comes back. In a single line four readers beside a
    hundred writers would get a twenty-sixth of the connections, and wait for as long as all writers together.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = True) -> None:
        self.maxsize, self.use_lifo = maxsize, use_lifo
        self._idle: list[ConnectionPoolEntry] = []
        self._reads: Line = deque()
        self._transactions: Line = deque()
        self._turns = deque((self._reads, self._transactions))

    @property
    def waiting(self) -> int:
        """How many wait; while anybody does, nothing is idle."""
        return len(self._reads) + len(self._transactions)

    def qsize(self) -> int:
        return len(self._idle)

    def put(self, item: ConnectionPoolEntry, block: bool = True, timeout: float | None = None) -> None:
        if not self.waiting:
            self._idle.append(item)
            return
        if not self._turns[0]:
            self._turns.rotate()
        self._turns[0].popleft().set_result(item)
        self._turns.rotate()

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        """Raises: Empty."""
        if self._idle:
            return self._idle.pop()
        if not block:
            raise Empty
        return await_only(self._wait(self._transactions, timeout))

    def peek(self) -> ConnectionPoolEntry | None:
        """What `get` would return at once."""
        return self._idle[-1] if self._idle else None

    def put_on_top(self, item: ConnectionPoolEntry) -> None:
        """Let whoever calls `get` next, in this turn of the loop, have it."""
        self._idle.append(item)

    async def wait_to_read(self, timeout: float | None) -> ConnectionPoolEntry:  # noqa: ASYNC109
        """Wait without a greenlet, in the line of reads. Raises: Empty."""
        return await self._wait(self._reads, timeout)

    async def _wait(self, line: Line, timeout: float | None) -> ConnectionPoolEntry:  # noqa: ASYNC109
        future = asyncio.get_running_loop().create_future()
        line.append(future)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(future)
        except (TimeoutError, asyncio.CancelledError) as error:
            if future.done():
                self.put(future.result())
            else:
                line.remove(future)
            if isinstance(error, TimeoutError):
                raise Empty from None
            raise
