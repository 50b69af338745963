"""Network: a TCP proxy on the loopback interface that a test slows down, cuts, or turns into a black hole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Passes bytes to `target`, a port, until told otherwise."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.swallowed = 0
        """Pieces of traffic that the black hole has taken."""
        self._delay = 0.0
        self._silent = False
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def text(self) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"

    def slow(self, seconds: float) -> None:
        """Delay every piece of traffic."""
        self._delay = seconds

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self) -> None:
        """Reset every connection, and each new one at once."""
        self._refusing = True
        self.cut()

    def swallow(self) -> None:
        """Accept connections and bytes, and let nothing through either way."""
        self._silent = True

    def heal(self) -> None:
        """Pass bytes again, but not on connections that have lost some: those stay silent for ever."""
        self._silent = self._refusing = False
        self._delay = 0.0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        with suppress(OSError):
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers |= {writer, other_writer}
            lost = asyncio.Event()
            for source, target in ((reader, other_writer), (other_reader, writer)):
                task = asyncio.create_task(self._pump(source, target, lost))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return
        writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                if self._delay:
                    await asyncio.sleep(self._delay)
                if self._silent or lost.is_set():
                    lost.set()
                    self.swallowed += 1
                else:
                    target.write(data)
                    await target.drain()
        # The end of a connection is not heard through a black hole either.
        if not self._silent and not lost.is_set():
            target.transport.abort()
            self._writers.discard(target)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.cut()


@asynccontextmanager
async def proxy_to(target: int) -> AsyncIterator[Proxy]:
    """A proxy to a port of this machine."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
