"""Outages: 503 in bounded time whatever breaks, and recovery by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import asyncpg
import httpx

from tests.faults.answers import assert_unavailable, timed, timed_all
from tests.faults.network import Proxy
from tests.faults.postgres import PrivatePostgres
from tests.faults.services import ada, service_in_process

POOL_TIMEOUT = 0.8
STATEMENT_TIMEOUT = 0.7
BOUND = POOL_TIMEOUT + STATEMENT_TIMEOUT + 1
SMALL: dict[str, Any] = {
    "db_pool_size": 2,
    "db_max_overflow": 1,
    "db_pool_timeout": POOL_TIMEOUT,
    "db_statement_timeout": STATEMENT_TIMEOUT,
}


def one_of_each(client: httpx.AsyncClient, number: int = 0) -> list[Awaitable[httpx.Response]]:
    return [
        client.get("/users/1"),
        client.get("/users"),
        client.post("/users", json=ada(f"-outage-{number}")),
        client.patch("/users/1", json={"name": "Eve"}),
        client.delete("/users/2"),
    ]


async def test_a_dead_database_is_503_and_a_restarted_one_serves_at_once(
    postgres: PrivatePostgres, proxy: Proxy
) -> None:
    async with service_in_process(postgres.text, **SMALL) as client:
        await asyncio.gather(*(client.post("/users", json=ada(n)) for n in range(6)))

        postgres.kill()
        during = [await timed(request) for request in one_of_each(client)]
        ready, ready_after = await timed(client.get("/health/ready"))
        await postgres.start()
        after = [await timed(client.get(f"/users/{n % 6 + 1}")) for n in range(12)]

    for answer, seconds in during:
        assert_unavailable(answer)
        assert seconds < BOUND
    assert_unavailable(ready)
    assert ready_after < 2
    assert [answer.status_code for answer, _ in after] == [200] * 12
    assert max(seconds for _, seconds in after) < 1


async def test_a_black_hole_is_503_within_bounds(postgres: PrivatePostgres, proxy: Proxy) -> None:
    async with service_in_process(proxy.text, **SMALL) as client:
        await asyncio.gather(*(client.post("/users", json=ada(n)) for n in range(6)))

        proxy.swallow()
        waves = []
        for wave in range(2):
            asking = asyncio.create_task(timed_all(one_of_each(client, 2 * wave) + one_of_each(client, 2 * wave + 1)))
            await asyncio.sleep(0.1)
            ready, ready_after = await timed(client.get("/health/ready"))
            live = [(await timed(client.get("/health/live")))[1] for _ in range(20)]
            waves.append((await asking, ready, ready_after, sorted(live)))
        proxy.heal()
        after = [await timed(client.get("/users/1")) for _ in range(9)]

    for answers, ready, ready_after, live in waves:
        for answer, seconds in answers:
            assert answer.json()["code"] in ("database_unavailable", "pool_timeout"), answer.text
            assert_unavailable(answer, answer.json()["code"])
            assert seconds < BOUND
        assert_unavailable(ready)
        assert ready_after < 2
        assert live[10] < 0.05
    assert proxy.swallowed
    assert [answer.status_code for answer, _ in after] == [200] * 9
    assert max(seconds for _, seconds in after) < 1


async def test_a_black_hole_under_load_is_over_within_a_second(postgres: PrivatePostgres, proxy: Proxy) -> None:
    answers: list[tuple[float, int, float]] = []

    async def ask(client: httpx.AsyncClient, until: asyncio.Event) -> None:
        while not until.is_set():
            began = time.monotonic()
            answer = await client.get("/users/1")
            answers.append((began, answer.status_code, time.monotonic()))
            await asyncio.sleep(0.02)

    async with service_in_process(proxy.text, **{**SMALL, "db_pool_timeout": 3.0}) as client:
        await client.post("/users", json=ada(1))
        enough = asyncio.Event()
        clients = [asyncio.create_task(ask(client, enough)) for _ in range(12)]
        await asyncio.sleep(0.3)

        proxy.swallow()
        await asyncio.sleep(4.0)
        proxy.heal()
        healed = time.monotonic()
        await asyncio.sleep(1.5)
        enough.set()
        await asyncio.gather(*clients)

    failed = [answered - began for began, status, answered in answers if status != 200]
    assert failed
    assert max(answered - began for began, _, answered in answers) < BOUND + 3.0 - POOL_TIMEOUT
    first = min(answered for began, status, answered in answers if status == 200 and began > healed)
    last_failure = max(answered for _, status, answered in answers if status != 200)
    print(f"first success {first - healed:.2f} s after, last failure {last_failure - healed:.2f} s after")
    assert first - healed < 1
    # The hole lasts long enough for attempts that began in it to outlive it.
    assert last_failure - healed < 1
    assert {status for began, status, _ in answers if began > healed + 1} == {200}


async def test_connections_that_died_in_silence_are_replaced(postgres: PrivatePostgres, proxy: Proxy) -> None:
    async with service_in_process(proxy.text, **{**SMALL, "db_pool_size": 6}) as client:
        await asyncio.gather(*(client.post("/users", json=ada(n)) for n in range(6)))
        await asyncio.gather(*(client.get(f"/users?page={n}") for n in range(1, 7)))
        await asyncio.sleep(1.1)
        # Whatever is on its way now is lost, and the connections with it, as when a firewall forgets them.
        proxy.swallow()
        lost = await timed(client.get("/users/1"))
        proxy.heal()

        after = [await timed(client.get("/users/1")) for _ in range(8)]

    assert_unavailable(lost[0])
    assert [answer.status_code for answer, _ in after] == [200] * 8
    assert max(seconds for _, seconds in after) < 1


async def test_reset_connections_go_unnoticed(postgres: PrivatePostgres, proxy: Proxy) -> None:
    async with service_in_process(proxy.text, **SMALL) as client:
        created = await client.post("/users", json=ada(1))

        answers = []
        for _ in range(3):
            await asyncio.gather(*(client.get(f"/users?page={n}") for n in range(1, 4)))
            proxy.cut()
            answers += [answer for answer, _ in await timed_all([client.get("/users/1") for _ in range(6)])]
            proxy.cut()
            await asyncio.sleep(0.05)
            answers.append(await client.patch("/users/1", json={"name": "Eve"}))

    assert created.status_code == 201
    assert [answer.status_code for answer in answers] == [200] * 21


async def test_a_slow_network_is_no_outage(proxy: Proxy) -> None:
    async with service_in_process(proxy.text, **{**SMALL, "db_statement_timeout": 5, "db_pool_timeout": 5}) as client:
        proxy.slow(0.03)

        created = await client.post("/users", json=ada(1))
        await asyncio.sleep(1.1)
        read = await client.get("/users/1")

    assert (created.status_code, read.status_code) == (201, 200)


async def test_a_full_pool_is_503_and_neither_alive_nor_bounds_suffer(postgres: PrivatePostgres) -> None:
    locked = await asyncpg.connect(postgres.text.replace("+asyncpg", ""))
    settings = {**SMALL, "db_statement_timeout": 3.0}
    async with service_in_process(postgres.text, **settings) as client:
        await client.post("/users", json=ada(1))
        async with locked.transaction():
            await locked.execute("LOCK TABLE users")
            holders = [asyncio.create_task(client.get(f"/users?size={size}")) for size in (1, 2, 3)]
            await postgres.until("SELECT FROM pg_stat_activity WHERE wait_event = 'relation'", 3, within=2.5)

            answers = await timed_all(one_of_each(client))
            ready, ready_after = await timed(client.get("/health/ready"))
            live = sorted([(await timed(client.get("/health/live")))[1] for _ in range(20)])
        held = await asyncio.gather(*holders)
        after = await client.get("/users/1")
    await locked.close()

    for answer, seconds in answers:
        assert_unavailable(answer, "pool_timeout")
        assert POOL_TIMEOUT - 0.1 < seconds < POOL_TIMEOUT + 1
    assert_unavailable(ready)
    assert ready_after < 2
    assert live[10] < 0.05
    assert [answer.status_code for answer in [*held, after]] == [200] * 4


async def test_a_statement_that_takes_too_long_is_503(postgres: PrivatePostgres) -> None:
    locked = await asyncpg.connect(postgres.text.replace("+asyncpg", ""))
    async with service_in_process(postgres.text, **SMALL) as client:
        await client.post("/users", json=ada(1))
        async with locked.transaction():
            await locked.execute("LOCK TABLE users")
            requests = one_of_each(client)
            answers = await timed_all(requests[:3]) + await timed_all(requests[3:])
        after = await client.patch("/users/1", json={"name": "Eve"})
    await locked.close()

    for answer, seconds in answers:
        assert_unavailable(answer, "statement_timeout")
        assert STATEMENT_TIMEOUT - 0.1 < seconds < BOUND
    assert after.status_code == 200


async def test_an_outage_at_the_start_ends_for_all_with_the_default_time_outs(proxy: Proxy) -> None:
    async with service_in_process(proxy.text) as client:
        proxy.swallow()
        writing = asyncio.create_task(timed_all([client.delete(f"/users/{n}") for n in range(1, 41)]))
        await asyncio.sleep(3)
        proxy.heal()
        await asyncio.sleep(0.5)

        after = await timed_all([client.get("/users"), client.get("/health/ready")])
        written = await writing

    assert [answer.status_code for answer, _ in after] == [200, 200]
    assert max(seconds for _, seconds in after) < 1
    assert proxy.swallowed
    assert {answer.status_code for answer, _ in written} == {404, 503}
    # More than fit into the pool wait for a place in it, and none for as long as they may.
    assert max(seconds for _, seconds in written) < 6


async def test_one_slow_answer_does_not_cost_the_other_connections(postgres: PrivatePostgres, proxy: Proxy) -> None:
    alive = "SELECT pid FROM pg_stat_activity WHERE application_name = 'litestar-users' ORDER BY pid"
    async with service_in_process(proxy.text) as client:
        await asyncio.gather(*(client.get(f"/users?page={n}") for n in range(1, 11)))
        before = {row["pid"] for row in await postgres.fetch(alive)}
        await asyncio.sleep(1.1)

        proxy.slow(0.3)  # Each way, so that a question takes longer than it may.
        slow = await client.get("/users")
        proxy.slow(0)
        after = await asyncio.gather(*(client.get(f"/users?page={n}") for n in range(1, 21)))
        kept = {row["pid"] for row in await postgres.fetch(alive)}

    assert {answer.status_code for answer in [slow, *after]} == {200}
    assert len(before - kept) == 1


async def test_reads_do_not_notice_that_all_connections_are_ended(postgres: PrivatePostgres) -> None:
    everybody = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'litestar-users'"
    async with service_in_process(postgres.text) as client:
        await client.post("/users", json=ada(1))

        answers: list[httpx.Response] = []
        for _ in range(20):
            paths = ["/users/1" if number % 2 else f"/users?size={number + 1}" for number in range(12)]
            answers += await asyncio.gather(*map(client.get, paths))
            ending = asyncio.create_task(postgres.fetch(everybody))
            answers += await asyncio.gather(*map(client.get, paths))
            await ending

    assert {answer.status_code for answer in answers} == {200}


async def test_load_alone_is_no_reason_to_be_sent_no_requests(postgres: PrivatePostgres) -> None:
    slow = """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION slow()
    """
    await postgres.execute(slow)
    async with service_in_process(postgres.text, db_pool_size=1, db_max_overflow=0) as client:
        await client.post("/users", json=ada(1))
        changes = [client.patch("/users/1", json={"name": f"Ada {n}"}) for n in range(12)]
        lists = [client.get(f"/users?page={n}") for n in range(1, 13)]
        working = asyncio.create_task(timed_all([*changes, *lists]))
        await asyncio.sleep(0.3)

        ready, seconds = await timed(client.get("/health/ready"))

        done = await working

    # Reads and changes take turns, so that a dozen of each are before it.
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})
    assert 0.9 < seconds < 2
    assert {answer.status_code for answer, _ in done} == {200}
