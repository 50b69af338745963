"""Pool: SQLAlchemy's own, that keeps overflow while it is in use and can lend an idle connection without a wait."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

FRESH = 1.0
"""Seconds after its last use during which a connection is taken to be alive unless its socket says otherwise."""


TRIM_INTERVAL = 30.0
"""Seconds; a connection beyond the pool's size is closed after one to two of them without use."""


@asynccontextmanager
async def trimmed(engine: AsyncEngine, *, keep: int) -> AsyncIterator[None]:
    """Trim the engine's pool to `keep` connections from time to time."""

    async def trim() -> None:
        while True:
            await asyncio.sleep(TRIM_INTERVAL)
            await greenlet_spawn(cast("Pool", engine.sync_engine.pool).trim, keep)

    task = asyncio.create_task(trim())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Pool(AsyncAdaptedQueuePool):
    """A queue of `pool_size` connections, without overflow in SQLAlchemy's sense.

    SQLAlchemy closes an overflow connection on return, so that a load above the pool's size connects all the time.
    Here it goes back into the queue, and `trim` closes what was not needed for a while.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turns: deque[asyncio.Future[ConnectionPoolEntry | None]] = deque()
        self._chosen: ConnectionPoolEntry | None = None
        self._waiting = 0
        """How many are in SQLAlchemy's own queue, before those who take turns."""
        self._least_idle = 0

    async def lend(self) -> PoolProxiedConnection:
        """A connection for a short while, in turn. Cheap where no I/O is needed to have one.

        Raises: TimeoutError of SQLAlchemy after `pool_timeout`, and what connecting raises.
        """
        if (idle := self.lend_now()) is not None:
            return idle
        if self._waiting or self._is_exhausted():
            try:
                async with asyncio.timeout(self.timeout()):
                    handed = await self._turn()
            except TimeoutError:
                raise PoolTimeout("no connection became free in time") from None
            if handed is not None:
                if self._is_ready(handed):
                    return self._connect_with(handed)
                # It died on its way to here.
                super()._do_return_conn(handed)
        return await greenlet_spawn(self.connect)

    async def _turn(self) -> ConnectionPoolEntry | None:
        """Wait for a connection that somebody returns; None: look for yourself."""
        turn: asyncio.Future[ConnectionPoolEntry | None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on(turn.result())
            raise

    def _pass_on(self, record: ConnectionPoolEntry | None) -> None:
        """Hand a connection to whoever waits longest, so that nobody can come between; else keep it."""
        if record is not None and (self._waiting or not self._is_ready(record)):
            super()._do_return_conn(record)
            record = None
        while self._turns and not self._waiting:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(record)
                return
        if record is not None:
            super()._do_return_conn(record)

    def lend_now(self) -> PoolProxiedConnection | None:
        """A connection that was used a moment ago, taken without any I/O and thus outside a greenlet.

        None when there is none, or when others are before you.
        """
        if self._turns or self._waiting or not self.checkedin():
            return None
        record = self._pool.get(False)
        if not self._is_ready(record):
            self._pool.put(record, False)
            return None
        return self._connect_with(record)

    def _connect_with(self, record: ConnectionPoolEntry) -> PoolProxiedConnection:
        self._chosen = record
        return self.connect()

    def trim(self, keep: int) -> None:
        """Close what has been idle ever since the last call, but keep `keep` connections. Needs a greenlet."""
        opened = self.checkedin() + self.checkedout()
        for _ in range(min(self._least_idle, opened - keep, self.checkedin())):
            record = self._pool.get(False)
            try:
                record.close()
            finally:
                self._dec_overflow()
        self._least_idle = self.checkedin()

    def _do_get(self) -> ConnectionPoolEntry:
        chosen, self._chosen = self._chosen, None
        if chosen is None:
            waits = self._is_exhausted()
            self._waiting += waits
            try:
                chosen = super()._do_get()
            except BaseException:
                self._waiting -= waits
                self._pass_on(None)
                raise
            self._waiting -= waits
            if self._turns and not self._is_exhausted():
                # Whoever began to wait behind this one need not wait for a return.
                self._pass_on(None)
        self._least_idle = min(self._least_idle, self.checkedin())
        return chosen

    def _is_exhausted(self) -> bool:
        return not self.checkedin() and self.overflow() >= 0

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        self._pass_on(record)

    def is_fresh(self, record: Any) -> bool:
        """Whether a connection is new or was used a moment ago."""
        used_at = record.info.get("used_at")
        return used_at is None or used_at > time.monotonic() - FRESH

    def _is_ready(self, record: Any) -> bool:
        driver = record.driver_connection
        if driver is None or driver.is_closed() or not self.is_fresh(record):
            return False
        renew_at = record.starttime + self._recycle if self._recycle > -1 else float("inf")
        return bool(time.time() < renew_at and record.starttime > self._invalidate_time)
