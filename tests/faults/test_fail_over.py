"""Fail-over: the primary dies, its synchronous standby takes over, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from tests.faults.answers import timed
from tests.faults.network import proxy_to
from tests.faults.postgres import PrivatePostgres
from tests.faults.services import ada, service_in_process


async def pair(make_postgres: Callable[..., PrivatePostgres]) -> tuple[PrivatePostgres, PrivatePostgres]:
    """A primary that commits when its standby has what is committed."""
    primary = make_postgres(synchronous_standby_names="*")
    standby = make_postgres(primary_conninfo=f"host=127.0.0.1 port={primary.port} user=postgres")
    (standby.home / "data/standby.signal").touch()
    await primary.start()
    await standby.start()
    await primary.until("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'", 1)
    return primary, standby


@pytest.mark.parametrize("how", ["killed", "silent"])
async def test_a_standby_takes_over_and_nothing_is_lost(
    make_postgres: Callable[..., PrivatePostgres], how: str
) -> None:
    primary, standby = await pair(make_postgres)
    statuses: Counter[int] = Counter()
    created: dict[int, str] = {}
    names: dict[int, int] = {}
    succeeded: list[float] = []
    enough = asyncio.Event()

    async def write(client: httpx.AsyncClient, user_id: int) -> None:
        number = 0
        while not enough.is_set():
            number += 1
            signing_up = number % 10 == 0
            answer = await (
                client.post("/users", json=ada(f"-{user_id}-{number}"))
                if signing_up
                else client.patch(f"/users/{user_id}", json={"name": f"{number}"})
            )
            statuses[answer.status_code] += 1
            if answer.status_code == 201:
                created[answer.json()["id"]] = answer.json()["email"]
            elif answer.status_code == 200:
                names[user_id] = number
            if answer.is_success:
                succeeded.append(time.monotonic())
            await asyncio.sleep(0 if answer.is_success else 0.05)

    async with proxy_to(primary.port) as proxy:
        hosts = f"127.0.0.1:{proxy.port},127.0.0.1:{standby.port}"
        url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
        async with service_in_process(url, db_pool_timeout=1, db_statement_timeout=1) as client:
            ids = [(await client.post("/users", json=ada(n))).json()["id"] for n in range(5)]
            writers = [asyncio.create_task(write(client, user_id)) for user_id in ids]
            async with asyncio.timeout(20):
                while len(succeeded) <= 10 or not created:
                    await asyncio.sleep(0.01)

            if how == "killed":
                primary.kill()
            else:
                proxy.swallow()
            await asyncio.sleep(0.3)
            standby.promote()
            await standby.until("SELECT WHERE NOT pg_is_in_recovery()", 1)
            promoted = time.monotonic()
            async with asyncio.timeout(10):
                while succeeded[-1] < promoted:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(1)
            enough.set()
            await asyncio.gather(*writers)

    first = min(at for at in succeeded if at > promoted) - promoted
    print(f"{how}: first write {first:.2f} s after the promotion, answers {dict(statuses)}")
    stored = {row["id"]: row for row in await standby.fetch("SELECT id, name, email FROM users")}
    assert set(statuses) == {200, 201, 503}
    assert first < 2
    assert {user_id: stored[user_id]["email"] for user_id in created} == created
    assert all(int(stored[user_id]["name"]) >= number for user_id, number in names.items())


async def test_a_silent_host_hides_no_other(make_postgres: Callable[..., PrivatePostgres]) -> None:
    primary, standby = await pair(make_postgres)
    answers: dict[str, tuple[int, bool]] = {}

    async with proxy_to(primary.port) as proxy:
        proxy.swallow()
        for wanted, other in (
            ("any", primary),
            ("standby", standby),
            ("read-only", standby),
            ("prefer-standby", standby),
            ("prefer-standby", primary),
        ):
            hosts = f"127.0.0.1:{proxy.port},127.0.0.1:{other.port}"
            url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs={wanted}"
            async with service_in_process(url) as client:
                answer, seconds = await timed(client.get("/users/1"))
            answers[f"{wanted} {other is primary}"] = (answer.status_code, seconds < 1)

    assert set(answers.values()) == {(404, True)}, answers
