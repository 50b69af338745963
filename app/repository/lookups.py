"""Look-ups: what is asked for by a key, be it a row or a page. Those that arrive together travel together, in one
statement.

Why no answer is older than its question: a look-up joins a statement only before that begins, so the snapshot is taken
after the look-up arrived, and holds every write that was acknowledged before it.
Why nobody waits who would not have waited: what arrives in one turn of the event loop leaves at its end; only while two
statements are under way, and for `PATIENCE` at most, does it wait to be more.
Why nobody is hurt by a neighbour: each waits for a future of its own, and the statement runs in a task that ends early
only when all of them have left. A failure reaches each as an exception of its own. The limit of a statement is the
limit of those in it, as it begins within `PATIENCE` of their arrival.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from itertools import islice
from typing import Any

Fetch = Callable[[list[Any]], Awaitable[dict[Any, Any]]]
"""What belongs to those of some keys that there are."""
Waiters = dict[Any, list["asyncio.Future[Any]"]]
"""By key: whoever waits for what belongs to it, or for None."""

MOST_KEYS = 500
"""Keys of one statement."""
UNDER_WAY = 2
"""Statements that are under way before look-ups wait to be more."""
PATIENCE = 0.02
"""Seconds after which a statement that does not come back holds up nobody behind it."""


class SharedFailure(Exception):
    """The statement failed in which this look-up travelled; the cause says why."""


class Lookups:
    """The look-ups of one kind: who waits to leave, and how many statements are under way."""

    def __init__(self, fetch: Fetch, most: int) -> None:
        """`most` keys go into one statement."""
        self._fetch = fetch
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._waiting: Waiters = {}
        self._under_way: dict[asyncio.Task[dict[Any, Any]], Waiters] = {}
        self._began = 0.0
        self._departure: asyncio.Handle | None = None

    @property
    def is_idle(self) -> bool:
        return not (self._waiting or self._under_way)

    async def find(self, key: Hashable) -> Any | None:
        """What belongs to `key`, if anything does. Raises: SharedFailure."""
        future = self._loop.create_future()
        self._waiting.setdefault(key, []).append(future)
        if self._departure is None:
            self._departure = self._loop.call_soon(self._leave)
        try:
            return await future
        except asyncio.CancelledError:
            self._end_what_nobody_waits_for()
            raise

    def _leave(self) -> None:
        """Begin a statement for those who wait, or see to it that one begins soon."""
        self._departure = None
        patience = self._began + PATIENCE - self._loop.time() if len(self._under_way) >= UNDER_WAY else 0
        if patience > 0:
            self._departure = self._loop.call_later(patience, self._leave)
            return
        batch = {key: self._waiting.pop(key) for key in list(islice(self._waiting, self._most))}
        task: asyncio.Task[dict[Any, Any]] = asyncio.ensure_future(self._fetch(list(batch)))
        self._began = self._loop.time()
        self._under_way[task] = batch
        task.add_done_callback(self._arrive)
        if self._waiting:
            self._departure = self._loop.call_soon(self._leave)

    def _end_what_nobody_waits_for(self) -> None:
        for task, batch in self._under_way.items():
            if all(future.done() for futures in batch.values() for future in futures):
                task.cancel()

    def _arrive(self, task: asyncio.Task[dict[Any, Any]]) -> None:
        """Hand everybody what they asked for, or the failure."""
        batch = self._under_way.pop(task)
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        found = {} if failure else task.result()
        for key, futures in batch.items():
            for future in futures:
                if future.done():
                    continue  # Whoever waited has gone.
                if failure is None:
                    future.set_result(found.get(key))
                else:
                    error = SharedFailure()
                    error.__cause__ = failure
                    future.set_exception(error)
        if self._departure is not None:
            self._departure.cancel()
            self._departure = self._loop.call_soon(self._leave)
