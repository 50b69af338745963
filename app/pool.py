"""Pool: SQLAlchemy's own, that keeps overflow while it is in use and can lend an idle connection without a wait."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection

FRESH = 1.0
"""Seconds after its last use during which a connection is taken to be alive unless its socket says otherwise."""


class Pool(AsyncAdaptedQueuePool):
    """A queue of `pool_size` connections, without overflow in SQLAlchemy's sense.

    SQLAlchemy closes an overflow connection on return, so that a load above the pool's size connects all the time.
    Here it goes back into the queue, and `trim` closes what was not needed for a while.
    """

    _chosen: ConnectionPoolEntry | None = None
    _waiting = 0
    _least_idle = 0

    def connect_idle(self) -> PoolProxiedConnection | None:
        """Lend a connection that was used a moment ago, without any I/O and thus outside a greenlet.

        None when there is none, when it may be stale, or when others wait in the queue.
        """
        if self._waiting or not self.checkedin():
            return None
        record = self._pool.get(False)
        if not self._is_fresh(record):
            self._pool.put(record, False)
            return None
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
            self._waiting += 1
            try:
                chosen = super()._do_get()
            finally:
                self._waiting -= 1
        self._least_idle = min(self._least_idle, self.checkedin())
        return chosen

    def _is_fresh(self, record: Any) -> bool:
        driver = record.driver_connection
        if driver is None or driver.is_closed():
            return False
        if time.monotonic() - record.info.get("used_at", 0.0) > FRESH:
            return False
        renew_at = record.starttime + self._recycle if self._recycle > -1 else float("inf")
        return bool(time.time() < renew_at and record.starttime > self._invalidate_time)
