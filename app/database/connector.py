"""Connector: new connections, to whichever host takes writes, and no queue before a database that does not answer."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import asyncpg
from asyncpg import (
    InterfaceError,
    InternalClientError,
    InvalidParameterValueError,
    PostgresError,
    UndefinedObjectError,
)

from app.database.places import note_place

CONNECTION_ERRORS = (OSError, InterfaceError, InternalClientError, PostgresError)
"""What asyncpg raises of a server that refuses, vanishes or is silent; a time-out is an OSError."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connect = Callable[..., Coroutine[Any, Any, Any]]

_UNRESPONSIVE_AFTER = 0.4
"""Seconds without an answer after which an attempt that is given up says something about the database."""
_RETRY_INTERVAL = 0.3
"""Seconds between the attempts to reach a database that was silent."""
_ONE_PRIMARY = ("read-write", "primary")
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
        attempt = _attempt(self._connect_with_comforts, {**arguments, "timeout": timeout})
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


def _attempt(connect: Connect, arguments: dict[str, Any]) -> Callable[[], Coroutine[Any, Any, Connection]]:
    """One try of one host, or of several at once: the driver's patience is for all of them together, so that a host
    which is silent would hide the one that took over."""
    hosts, ports = arguments.get("host"), arguments.get("port")
    if not isinstance(hosts, list) or arguments.get("target_session_attrs") not in _ONE_PRIMARY:
        return lambda: connect(**arguments)
    each_host = [{**arguments, "host": host, "port": port} for host, port in zip(hosts, ports or [], strict=True)]
    return lambda: _first_success(*(connect(**arguments_of_host) for arguments_of_host in each_host))


async def _first_success(*attempts: Coroutine[Any, Any, Connection]) -> Connection:
    """The first attempt that succeeds. Raises: what the last one to fail has raised."""
    pending = {asyncio.ensure_future(attempt) for attempt in attempts}
    tasks = set(pending)
    try:
        while True:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            succeeded = [task for task in done if task.exception() is None]
            if succeeded or not pending:
                winner = (succeeded or list(done))[0]
                tasks.discard(winner)
                return winner.result()
    finally:
        _cancel(tasks)


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
        _cancel(tasks)


def _cancel(tasks: set[asyncio.Task[Connection]]) -> None:
    """End attempts that nobody needs any more, and connections that came of them meanwhile."""

    def close(task: asyncio.Task[Connection]) -> None:
        if not task.cancelled() and task.exception() is None:
            task.result().terminate()

    for task in tasks:
        task.cancel()
        task.add_done_callback(close)
