"""Burst: clients that are quiet for a while and then ask all at once, as nobody's load generator does."""

import asyncio
import random
import time
from collections.abc import Iterator

QUIET_SECONDS = 3
BURSTS = 3

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class BurstError(Exception):
    """An answer that is not a 200."""


def run(port: int, clients: int, *, users: int, seed: int) -> list[float]:
    """The seconds of each GET by id. Raises: BurstError."""
    ids = random.Random(seed)
    return asyncio.run(_run(port, clients, iter(lambda: ids.randint(1, users), 0)))


async def _run(port: int, clients: int, ids: Iterator[int]) -> list[float]:
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]
    seconds: list[float] = []
    for burst in range(BURSTS + 1):
        found = await asyncio.gather(*(_get(connection, next(ids)) for connection in connections))
        # The first one opens what has never been used.
        seconds += found if burst else []
        await asyncio.sleep(QUIET_SECONDS if burst < BURSTS else 0)
    for _, writer in connections:
        writer.close()
    return seconds


async def _get(connection: Connection, user_id: int) -> float:
    reader, writer = connection
    began = time.perf_counter()
    writer.write(f"GET /users/{user_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise BurstError(head.decode())
    return time.perf_counter() - began
