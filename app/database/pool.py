"""Pool: SQLAlchemy's own, whose overflow stays open while it is in use, and which reads can use without a greenlet."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from asyncpg import TooManyConnectionsError
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.pool.base import _ConnectionRecord
from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.queue import Empty

from app.database.beside import beside
from app.database.queue import FairQueue

FRESH = 1.0
"""Seconds after its last use during which a connection is taken to be alive unless its socket says otherwise."""
_BURST = 0.1
"""Seconds in which connections that were asked for at the same moment all come, or do not."""
TRIM_INTERVAL = 30.0
"""Seconds without use after which a connection beyond the pool's size is closed, and between two looks."""


def trimming(engine: AsyncEngine, *, keep: int) -> AbstractAsyncContextManager[None]:
    """Trim the engine's pool to `keep` connections from time to time."""
    return beside(lambda: greenlet_spawn(cast("Pool", engine.sync_engine.pool).trim, keep), lambda: TRIM_INTERVAL)


class Pool(AsyncAdaptedQueuePool):
    """A last-in-first-out queue of `pool_size` connections, without overflow in SQLAlchemy's sense.

    SQLAlchemy closes an overflow connection on return, so that a load above the pool's size connects all the time.
    Here it goes back into the queue, and `trim` closes what was not needed for a while.
    """

    _queue_class = FairQueue
    _pool: FairQueue
    lost_at = 0.0
    """When a connection was lost under a statement: those that have rested since are asked before they are used."""
    answered_at = 0.0
    """When a connection came back alive."""
    alive = 0
    """How many connections there are."""

    def connect(self) -> PoolProxiedConnection:
        """Where the server has no connection left but we have some, one of those will do in a moment."""
        deadline, delay = time.monotonic() + self._timeout, 0.02
        while True:
            try:
                return super().connect()
            except AsyncAdapt_asyncpg_dbapi.Error as error:
                refused = isinstance(error.__cause__, TooManyConnectionsError)
                # Those that were asked for at the same time may be about to come.
                if not refused or time.monotonic() + delay > deadline or (not self.alive and delay > _BURST):
                    raise
            await_only(asyncio.sleep(random.uniform(delay / 2, delay)))  # noqa: S311  # no secret
            delay = min(2 * delay, 0.5)

    @property
    def waiting(self) -> int:
        """How many callers wait for a connection."""
        return self._pool.waiting

    def acquire_nowait(self) -> PoolProxiedConnection | None:
        """A connection that was used a moment ago, taken without any I/O and thus outside a greenlet.

        None where there is none. A greenlet costs 50 us, a sixth of a small read. What is judged here must not be
        judged again in `connect`, where it may have aged meanwhile and would need I/O: hence the second of slack before
        the pool renews a connection, and the look for a greenlet in the listener that pings.
        """
        record = self._pool.peek()
        return self.connect() if record is not None and self._is_ready(record) else None

    async def acquire(self) -> PoolProxiedConnection:
        """A connection for a read. Raises: PoolTimeout, and what connecting raises."""
        if self._pool.peek() is None and self._overflow >= self._max_overflow:
            try:
                self._pool.put_on_top(await self._pool.wait_to_read(self._timeout))
            except Empty:
                raise PoolTimeout(f"no connection within {self._timeout} s") from None
        ready = self.acquire_nowait()
        return await greenlet_spawn(self.connect) if ready is None else ready

    def _is_ready(self, record: Any) -> bool:
        driver = record.driver_connection
        if driver is None or driver.is_closed() or not self.is_fresh(record) or record._is_hard_or_soft_invalidated():
            return False
        return self._recycle < 0 or time.time() - record.starttime < self._recycle - 1

    def trim(self, keep: int) -> None:
        """Close what has rested longest, but keep `keep` connections. Needs a greenlet."""
        latest_first = [self._pool.get(False) for _ in range(self.checkedin())]
        unused_since = time.monotonic() - TRIM_INTERVAL
        surplus = latest_first[max(0, keep - self.checkedout() + len(latest_first)) :]
        unused = [record for record in surplus if record.info.get("used_at", unused_since) <= unused_since]
        for record in reversed(latest_first):
            if record not in unused:
                self._pool.put(record, False)
        for record in unused:
            try:
                record.close()
            finally:
                self._do_return_conn(record)

    def _create_connection(self) -> ConnectionPoolEntry:
        """A place in the pool that connects when it is first used.

        A connect that fails then gives the place back to the queue like any other, and wakes who waits for one;
        SQLAlchemy would wake nobody.
        """
        return _ConnectionRecord(self, connect=False)

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if record.dbapi_connection is None and not self.waiting:
            self._dec_overflow()
        else:
            super()._do_return_conn(record)

    def is_fresh(self, record: Any) -> bool:
        """Whether a connection is new, or was used a moment ago and since the last one was lost."""
        used_at = record.info.get("used_at")
        return used_at is None or used_at > max(time.monotonic() - FRESH, self.lost_at)
