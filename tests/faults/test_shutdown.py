"""Shutdown: on SIGTERM what is in flight is finished, what is new is refused, and nothing stays behind."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import httpx
import pytest

from tests.faults.postgres import PrivatePostgres
from tests.faults.services import ada, service

_OURS = "SELECT FROM pg_stat_activity WHERE application_name = 'litestar-users'"
_WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_service_that_ends_finishes_what_it_began(postgres: PrivatePostgres, workers: int) -> None:
    async with service(postgres.text, workers=workers, by_litestar=True, DRAIN_SECONDS="1") as running:
        async with running.client() as client:
            await client.post("/users", json=ada(1))
        locked = await asyncpg.connect(postgres.text.replace("+asyncpg", ""))
        clients = [running.client() for _ in range(8)]
        async with locked.transaction():
            await locked.execute("LOCK TABLE users")
            begun = [
                asyncio.create_task(one.patch("/users/1", json={"name": f"{number}"}))
                for number, one in enumerate(clients)
            ]
            await postgres.until(_WAITING, 8)

            running.terminate()
            began = time.monotonic()
            codes = await _until_not_ready(running.client())
            # Past the time in which it still accepts: what is in flight must not depend on that.
            await asyncio.sleep(1.5)
        await locked.close()
        finished = await asyncio.gather(*begun)
        async with running.client() as late:
            with pytest.raises(httpx.TransportError):
                await late.get("/health/live")
        async with asyncio.timeout(15):
            status = await running.process.wait()
        seconds = time.monotonic() - began
        for one in clients:
            await one.aclose()
        await postgres.until(_OURS, 0, within=1)
        output = running.output()

    print(f"{workers} workers: not ready with {codes}, ended {seconds:.1f} s after SIGTERM with {status}")
    assert codes == "draining"
    assert [answer.status_code for answer in finished] == [200] * 8
    assert (status, seconds < 15) == (0, True)
    assert "defect" not in output


async def test_a_client_that_keeps_its_connection_is_told_that_it_ends(postgres: PrivatePostgres) -> None:
    """Or its next request would be sent into a connection that is just being closed."""
    async with service(postgres.text, by_litestar=True, DRAIN_SECONDS="1") as running:
        clients = [asyncio.create_task(_until_told(running.client())) for _ in range(8)]
        await asyncio.sleep(0.2)
        running.terminate()
        answered = await asyncio.gather(*clients)

    assert min(answered) > 1


async def _until_told(client: httpx.AsyncClient) -> int:
    """The number of answers on a connection up to the one that says that it is the last. Raises: TransportError."""
    answers = 0
    async with client, asyncio.timeout(10):
        while True:
            answer = await client.get("/health/live")
            answers += 1
            if answer.headers.get("connection") == "close":
                return answers


async def _until_not_ready(client: httpx.AsyncClient) -> str:
    """The code of the first answer that is not 200."""
    async with client, asyncio.timeout(1):
        while True:
            # A connection of its own: any of the workers may answer.
            ready = await client.get("/health/ready", headers={"Connection": "close"})
            if ready.status_code == 503:
                return str(ready.json()["code"])
