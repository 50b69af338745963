"""Request body: what is left of a request's body, read or thrown away before the answer starts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from litestar import Request

from app.http.dto import check_media_type
from app.problems import Malformed

if TYPE_CHECKING:
    from litestar.types import HTTPScope, Receive, ReceiveMessage

_DRAIN_TIMEOUT = 5.0
"""Seconds that a client may go on sending what nobody reads."""
_GRACE = 10.0
"""Seconds that any body may take."""
_PACE = 100_000
"""Bytes that give a body another second."""


class RequestBody:
    """A body on its way. Until it is complete it has `clock` by its own measure, then anew for `limit` seconds."""

    def __init__(self, scope: HTTPScope, receive: Receive, clock: asyncio.Timeout, limit: float) -> None:
        self._receive = receive
        self._scope = scope
        self._clock = clock
        self._limit = limit
        self._now = asyncio.get_running_loop().time
        self._until = 0.0
        self._complete = False
        # The server asks for such a body when it is first read (RFC 9110, 10.1.1).
        self._held_back = any(name == b"expect" for name, _ in scope["headers"])
        self.is_late = False

    async def receive(self) -> ReceiveMessage:
        """Raises: Malformed, when the body ends before it is complete; UnsupportedMediaType, before it is asked for."""
        if self._complete:
            return await self._receive()
        if self._held_back:
            check_media_type(Request(self._scope))
        # What came before, as the look at who sends it, is not the client's time.
        self._until = self._until or self._now() + _GRACE
        self._set_clock(self._until)
        self.is_late = True
        message = await self._next()
        self.is_late = False
        if message["type"] != "http.request":
            raise Malformed("The body did not arrive")
        self._until += len(message["body"]) / _PACE
        self._set_clock(self._now() + self._limit)
        return message

    async def drain(self) -> None:
        """Throw away what is left: a server that hangs up on a client that still sends loses the answer, too."""
        if self._held_back or self.is_late:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                while not self._complete:
                    await self._next()

    async def _next(self) -> ReceiveMessage:
        self._held_back = False
        message = await self._receive()
        self._complete = message["type"] != "http.request" or not message.get("more_body")
        return message

    def _set_clock(self, when: float) -> None:
        if self._clock.when() and not self._clock.expired():
            self._clock.reschedule(min(when, self._now() + self._limit))
