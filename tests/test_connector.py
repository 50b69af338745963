"""New connections: of several hosts the one that answers, whatever the others do at the same moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.database.connector import Connector

SEVERAL = {"host": ["one", "two"], "port": [1, 2], "target_session_attrs": "read-write"}


class Connection:
    def terminate(self) -> None: ...


@pytest.mark.parametrize("standby", ["one", "two"])
async def test_a_host_that_serves_wins_over_one_that_refuses_in_the_same_moment(standby: str) -> None:
    answered = asyncio.Event()

    async def connect(*, host: str, **_: Any) -> Any:
        await answered.wait()
        if host == standby:
            raise ConnectionRefusedError
        return Connection()

    attempts = [asyncio.create_task(Connector(connect)(timeout=1, **SEVERAL)) for _ in range(20)]
    await asyncio.sleep(0.01)
    answered.set()

    assert len(await asyncio.gather(*attempts)) == 20


async def test_hosts_that_all_refuse_are_a_refusal() -> None:
    async def connect(**_: Any) -> Any:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await Connector(connect)(timeout=1, **SEVERAL)


async def test_a_client_that_leaves_a_busy_database_makes_it_no_silent_one() -> None:
    async def connect(*, delay: float, **_: Any) -> Any:
        await asyncio.sleep(delay)
        return Connection()

    connector = Connector(connect)
    left = asyncio.create_task(connector(timeout=5, delay=5))
    await asyncio.sleep(0)
    await connector(timeout=5, delay=0.41)
    left.cancel()
    await asyncio.wait([left])

    assert len(await asyncio.gather(*(connector(timeout=5, delay=0) for _ in range(3)))) == 3


async def test_a_client_that_leaves_a_silent_one_tells() -> None:
    async def connect(**_: Any) -> Any:
        await asyncio.sleep(5)

    connector = Connector(connect)
    left = asyncio.create_task(connector(timeout=5))
    await asyncio.wait([left], timeout=0.41)
    left.cancel()
    await asyncio.wait([left])
    insisting = asyncio.create_task(connector(timeout=5))
    await asyncio.sleep(0)

    with pytest.raises(ConnectionError, match="silent a moment ago"):
        await connector(timeout=5)

    insisting.cancel()
