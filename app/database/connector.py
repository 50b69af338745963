"""Connector: new connections, to whichever host will do, and no queue before a database that does not answer."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from asyncpg import (
    InterfaceError,
    InternalClientError,
    InvalidParameterValueError,
    PostgresError,
    UndefinedObjectError,
)

from app.database.hosts import Connect, Connection, attempt_of, cancel
from app.database.places import note_place

CONNECTION_ERRORS = (OSError, InterfaceError, InternalClientError, PostgresError)
"""What asyncpg raises of a server that refuses, vanishes or is silent; a time-out is an OSError."""

_UNRESPONSIVE_AFTER = 0.4
"""Seconds without an answer after which an attempt that is given up says something about the database."""
_RETRY_INTERVAL = 0.3
"""Seconds between the attempts to reach a database that was silent."""
_COMFORTS = {"client_connection_check_interval", "jit"}
"""Settings that another version, or build, of the server may not have."""
_logger = logging.getLogger(__name__)


class Connector:
    """Connects for the pool.

    While the database is silent one caller at a time asks again and again whether it is back; the others are refused
    at once, so that the pool is not full of attempts in vain when it is.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._refused: set[str] = set()
        self._unresponsive = False
        self._retrying = False
        self._answered_at = -math.inf

    async def __call__(self, **arguments: Any) -> Connection:
        """Raises: what asyncpg raises, ConnectionError, TimeoutError; `place_of` tells where."""
        try:
            return await self._connected(**arguments)
        except CONNECTION_ERRORS as error:
            note_place(error, arguments)
            raise

    async def _connected(self, *, timeout: float, **arguments: Any) -> Connection:  # noqa: ASYNC109
        attempt = attempt_of(self._connect_with_comforts, {**arguments, "timeout": timeout})
        if not self._unresponsive:
            return await self._observed(attempt())
        if self._retrying:
            raise ConnectionError("The database was silent a moment ago")
        self._retrying = True
        try:
            async with asyncio.timeout(timeout):
                return await self._observed(_retry(attempt))
        finally:
            self._retrying = False

    async def _connect_with_comforts(self, **arguments: Any) -> Connection:
        """Connect without what the server has refused, where we can do without."""
        given = arguments.get("server_settings", {})
        settings = {name: value for name, value in given.items() if name not in self._refused}
        try:
            connection: Connection = await self._connect(**arguments | {"server_settings": settings})
            return connection
        except (UndefinedObjectError, InvalidParameterValueError) as refusal:
            refused = [name for name in _COMFORTS & settings.keys() if name in str(refusal)]
            if not refused:
                raise
        self._refused.update(refused)
        _logger.info("The server refuses %s: going on without", refused[0])
        return await self._connect_with_comforts(**arguments)

    async def _observed(self, attempt: Awaitable[Connection]) -> Connection:
        """Learn from an attempt whether the database is silent: a refusal is an answer, too."""
        started_at = time.monotonic()
        try:
            connection = await attempt
        except (TimeoutError, asyncio.CancelledError):
            # Whoever gave up at once, because its client left, has learnt nothing; nor is a database silent that has
            # answered others meanwhile, though slowly.
            was_silent = self._answered_at < started_at and time.monotonic() - started_at > _UNRESPONSIVE_AFTER
            self._unresponsive = self._unresponsive or was_silent
            raise
        except CONNECTION_ERRORS:
            self._answer()
            raise
        self._answer()
        return connection

    def _answer(self) -> None:
        self._unresponsive, self._answered_at = False, time.monotonic()


async def _retry(attempt: Callable[[], Coroutine[Any, Any, Connection]]) -> Connection:
    """Start one attempt after another, however long the earlier ones wait, until one is answered."""
    tasks: set[asyncio.Task[Connection]] = set()
    try:
        while True:
            tasks.add(asyncio.ensure_future(attempt()))
            done, _ = await asyncio.wait(tasks, timeout=_RETRY_INTERVAL, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                tasks.discard(task)
                return task.result()
    finally:
        cancel(tasks)
