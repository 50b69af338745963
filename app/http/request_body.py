"""Incoming: what is left of a request's body, read or thrown away before the answer starts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from app.problems import Malformed

if TYPE_CHECKING:
    from litestar.types import Message, Receive, ReceiveMessage, Send

_PATIENCE = 5.0
"""Seconds that a client may go on sending what nobody reads."""


class Incoming:
    """A body on its way. Each piece that arrives starts `clock` anew, with `limit` in seconds."""

    def __init__(self, receive: Receive, clock: asyncio.Timeout, limit: float) -> None:
        self._receive = receive
        self._clock = clock
        self._limit = limit
        self._complete = False

    async def receive(self) -> ReceiveMessage:
        """Raises: Malformed, when the body ends before it is complete."""
        if self._complete:
            return await self._receive()
        message = await self._next()
        if message["type"] != "http.request":
            raise Malformed("The body did not arrive")
        if self._clock.when() and not self._clock.expired():
            self._clock.reschedule(asyncio.get_running_loop().time() + self._limit)
        return message

    def drained_before(self, send: Send) -> Send:
        """Stop the clock when the response starts, and read what is left of the body."""

        async def drain_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                if not self._clock.expired():
                    self._clock.reschedule(None)
                await self._drain()
            await send(message)

        return drain_and_send

    async def _drain(self) -> None:
        """Throw away what is left: a server that hangs up on a client that still sends loses the answer, too."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while not self._complete:
                    await self._next()

    async def _next(self) -> ReceiveMessage:
        message = await self._receive()
        self._complete = message["type"] != "http.request" or not message.get("more_body")
        return message
