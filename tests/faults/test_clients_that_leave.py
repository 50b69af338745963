"""Clients that leave in the middle of a query: no connection is lost, no transaction stays open."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from typing import Any

import asyncpg

from tests.faults.network import Proxy
from tests.faults.postgres import PrivatePostgres
from tests.faults.services import Service, ada, service, service_in_process

_OPEN = "SELECT state, query FROM pg_stat_activity WHERE application_name = 'litestar-users' AND state <> 'idle'"
_ALL = "SELECT pid FROM pg_stat_activity WHERE application_name = 'litestar-users'"


def _leave(writer: asyncio.StreamWriter) -> None:
    """Reset a connection, as the kernel does for a process that died."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _ask(running: Service, number: int) -> asyncio.StreamWriter:
    """Send a read or a write, and do not wait for the answer."""
    _, writer = await asyncio.open_connection("127.0.0.1", running.port)
    body = json.dumps({"name": f"Eve {number}"})
    head = "GET /users/1" if number % 2 else "PATCH /users/1"
    lines = [f"{head} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    writer.write(("\r\n".join([*lines, "", ""]) + body).encode())
    await writer.drain()
    return writer


async def test_three_hundred_that_leave_cost_nothing(postgres: PrivatePostgres) -> None:
    limits: dict[str, Any] = {
        "DB_POOL_SIZE": "4",
        "DB_MAX_OVERFLOW": "1",
        "DB_POOL_TIMEOUT": "2",
        "DB_STATEMENT_TIMEOUT": "2",
    }
    async with service(postgres.text, **limits) as running, running.client() as client:
        await client.post("/users", json=ada(1))
        locked = await asyncpg.connect(postgres.text.replace("+asyncpg", ""))
        async with locked.transaction():
            await locked.execute("LOCK TABLE users")
            writers = await asyncio.gather(*(_ask(running, number) for number in range(300)))
            await postgres.until(_OPEN, 5)
            for writer in writers:
                _leave(writer)
            alive = await client.get("/health/live")
        await locked.close()

        await postgres.until(_OPEN, 0, within=20)
        answers = await asyncio.gather(*(client.patch("/users/1", json={"name": "Ann"}) for _ in range(20)))
        connections = await postgres.fetch(_ALL)
        output = running.output()

    assert alive.status_code == 200
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len(connections) <= 5
    assert "defect" not in output


async def test_cancelled_requests_cost_nothing(postgres: PrivatePostgres) -> None:
    """As on a server that cancels a request when its client leaves."""
    pool = {"db_pool_size": 4, "db_max_overflow": 1}
    async with service_in_process(postgres.text, **pool) as client:
        await client.post("/users", json=ada(1))
        locked = await asyncpg.connect(postgres.text.replace("+asyncpg", ""))
        async with locked.transaction():
            await locked.execute("LOCK TABLE users")
            requests = [
                client.get("/users/1") if number % 2 else client.patch("/users/1", json={"name": "Eve"})
                for number in range(100)
            ]
            tasks = [asyncio.create_task(request) for request in requests]
            await asyncio.sleep(0.3)
            for task in tasks:
                task.cancel()
            left = await asyncio.gather(*tasks, return_exceptions=True)
            # The lock is still held: the server finds out by itself that nobody waits any more.
            await postgres.until(_OPEN, 0, within=4)
        await locked.close()

        answers = await asyncio.gather(*(client.patch("/users/1", json={"name": "Ann"}) for _ in range(20)))
        connections = await postgres.fetch(_ALL)

    assert all(isinstance(answer, asyncio.CancelledError) for answer in left)
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len(connections) <= 5


async def test_who_leaves_while_the_network_is_dead_leaves_no_connection(
    postgres: PrivatePostgres, proxy: Proxy
) -> None:
    """What was asked there may be answered later, and must not be taken for the answer to somebody else."""
    async with service_in_process(proxy.text, db_pool_size=4, db_statement_timeout=5) as client:
        await client.post("/users", json=ada(1))
        await asyncio.gather(*(client.get(f"/users?page={n}") for n in range(1, 5)))

        proxy.swallow()
        asked = [client.get("/users"), client.get("/users/1"), client.patch("/users/1", json={"name": "Eve"})]
        tasks = [asyncio.create_task(request) for request in asked]
        while proxy.swallowed < 3:
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        figures = re.findall(r"^db_pool_(in_use|idle) (\S+)$", (await client.get("/metrics")).text, re.MULTILINE)
        proxy.heal()
        after = await asyncio.gather(*(client.get("/users/1") for _ in range(4)))

    assert dict(figures) == {"in_use": "0.0", "idle": "1.0"}
    assert [answer.json()["name"] for answer in after] == ["Ada"] * 4
