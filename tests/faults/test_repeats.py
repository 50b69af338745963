"""Repeats: a client that sends again what was not answered gets its 201 in the end, and one row."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.faults.answers import assert_unavailable
from tests.faults.network import Proxy, proxy_to
from tests.faults.postgres import PrivatePostgres
from tests.faults.services import Service, ada, service, service_in_process
from tests.faults.test_acknowledged import AT_COMMIT
from tests.faults.test_fail_over import pair
from tests.faults.test_pgbouncer import pgbouncer

SIGN_UPS = int(os.environ.get("REPEATED_SIGN_UPS", "40"))
LOADS = int(os.environ.get("REPEATED_LOADS", "10"))
ROWS = 20
STORED = f"SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM developers) / {ROWS} AS n"
SHORT: dict[str, Any] = {"DB_POOL_TIMEOUT": "2", "DB_STATEMENT_TIMEOUT": "2", "LOG_LEVEL": "error"}
ANSWERED: dict[str, Any] = {"db_pool_timeout": 2, "db_statement_timeout": 2}


class Work:
    """Sign-ups and loads, each sent with a key of its own until it is answered for good."""

    def __init__(self) -> None:
        self.left: list[tuple[str, Any]] = [("/users", ada(number)) for number in range(SIGN_UPS)]
        self.left += [("/developers/bulk", load(number)) for number in range(LOADS)]
        random.shuffle(self.left)
        self.answers: list[httpx.Response] = []
        self.seen: Counter[str] = Counter()

    async def do(self, client: httpx.AsyncClient, harm: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """As ten clients do it, while `harm` is done."""

        async def ask_on() -> None:
            while self.left:
                self.answers.append(await until_answered(client, *self.left.pop(), self.seen))
                await asyncio.sleep(random.uniform(0, 0.2))

        async with asyncio.timeout(300), asyncio.TaskGroup() as together:
            for one in (harm(), *(ask_on() for _ in range(10))):
                together.create_task(one)

    async def until_untold(self, database: PrivatePostgres, proxy: Proxy) -> None:
        """Wait until something is stored and its answer still on its way, if there is work left."""
        proxy.slow(0.2)
        await asyncio.sleep(0.15)  # Until those are told whose answers had passed already.
        while (told := len(self.answers)) < SIGN_UPS + LOADS:
            if await database.fetch(f"SELECT FROM ({STORED}) s WHERE n > $1", told):
                break

    async def check(self, database: PrivatePostgres) -> None:
        """All of it is there once, and is what was told; of some the first answer was lost."""
        assert Counter(answer.status_code for answer in self.answers) == {201: SIGN_UPS + LOADS}
        told = [answer.json() for answer in self.answers]
        users = await database.fetch("SELECT id, name, email FROM users")
        assert sorted(map(dict, users), key=str) == sorted((one for one in told if "id" in one), key=str)
        assert {user["email"] for user in users} == {ada(number)["email"] for number in range(SIGN_UPS)}
        assert [one for one in told if "id" not in one] == [{"created": ROWS}] * LOADS
        developers = await database.fetch("SELECT email FROM developers")
        sent = [row["email"] for number in range(LOADS) for row in load(number)]
        assert sorted(row["email"] for row in developers) == sorted(sent)
        assert self.seen["201 replayed"] > 0


async def until_answered(
    client: httpx.AsyncClient, path: str, body: Any, seen: Counter[str], key: str | None = None
) -> httpx.Response:
    """Send with a key until there is an answer that is no 503, and none that says to come again."""
    headers = {"Idempotency-Key": key or str(uuid4())}
    while True:
        with suppress(httpx.TransportError):
            answer = await client.post(path, json=body, headers=headers)
            again = answer.status_code == 503 or answer.json().get("code") == "request_in_progress"
            replayed = " replayed" if "idempotency-replayed" in answer.headers else ""
            seen[f"{answer.status_code}{replayed}"] += 1
            if not again:
                return answer
        seen["sent again"] += 1
        await asyncio.sleep(0.2)


def load(number: int) -> list[dict[str, str]]:
    return [{"name": "Ada", "email": f"ada-{number}-{row}@example.com", "specialty": "engines"} for row in range(ROWS)]


async def test_a_database_that_is_killed_loses_and_doubles_nothing(postgres: PrivatePostgres, proxy: Proxy) -> None:
    work = Work()

    async def kill_now_and_then() -> None:
        for number in range(max(3, SIGN_UPS // 20)):
            await asyncio.sleep(random.uniform(0.1, 0.4))
            if number % 2 == 0:
                await work.until_untold(postgres, proxy)
            postgres.kill()
            proxy.cut()
            proxy.heal()
            await postgres.start()

    async with service_in_process(proxy.text, **ANSWERED) as client:
        await work.do(client, kill_now_and_then)

    print("database killed:", dict(work.seen))
    await work.check(postgres)


async def test_a_service_that_is_killed_loses_and_doubles_nothing(postgres: PrivatePostgres, proxy: Proxy) -> None:
    """Two workers, killed at once in the middle of their work, and started again."""
    work = Work()
    async with AsyncExitStack() as stack, httpx.AsyncClient(timeout=10, trust_env=False) as client:

        async def start() -> Service:
            running = await stack.enter_async_context(service(proxy.text, workers=2, **SHORT))
            client.base_url = httpx.URL(f"http://127.0.0.1:{running.port}")
            return running

        async def kill_now_and_then() -> None:
            running = first
            for number in range(SIGN_UPS // 40):
                await asyncio.sleep(random.uniform(0.05, 0.3))
                if number % 2 == 0:
                    await work.until_untold(postgres, proxy)
                os.killpg(running.process.pid, signal.SIGKILL)
                proxy.heal()
                running = await start()

        first = await start()
        await work.do(client, kill_now_and_then)

    print("service killed:", dict(work.seen))
    await work.check(postgres)


async def test_a_standby_that_takes_over_knows_what_was_stored(
    make_postgres: Callable[..., PrivatePostgres],
) -> None:
    primary, standby = await pair(make_postgres)
    work = Work()

    async def fail_over() -> None:
        await asyncio.sleep(0.2)
        await work.until_untold(standby, proxy)
        primary.kill()
        proxy.cut()
        await asyncio.sleep(0.3)
        standby.promote()

    async with proxy_to(primary.port) as proxy:
        hosts = f"127.0.0.1:{proxy.port},127.0.0.1:{standby.port}"
        url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
        async with service_in_process(url, **ANSWERED) as client:
            await work.do(client, fail_over)

    print("failed over:", dict(work.seen))
    await work.check(standby)


async def test_a_commit_whose_answer_was_lost_is_answered_when_it_is_sent_again(
    postgres: PrivatePostgres, proxy: Proxy
) -> None:
    async with service_in_process(proxy.text, db_statement_timeout=5) as client:
        await postgres.execute(AT_COMMIT.format(body="PERFORM pg_sleep(0.5)"))
        headers = {"Idempotency-Key": str(uuid4())}

        asking = asyncio.create_task(client.post("/users", json=ada(1), headers=headers))
        await postgres.until("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1)
        proxy.swallow()
        await postgres.until("SELECT FROM users", 1)
        proxy.cut()
        proxy.heal()
        lost = await asking
        again = await client.post("/users", json=ada(1), headers=headers)
        without = await client.post("/users", json=ada(1))

    assert_unavailable(lost)
    assert (again.status_code, again.json()["id"], again.headers["idempotency-replayed"]) == (201, 1, "true")
    assert (again.headers["location"], without.status_code) == ("/users/1", 409)


async def test_a_commit_that_waits_for_a_standby_is_not_done_twice(postgres: PrivatePostgres) -> None:
    """It is neither stored for others nor gone: who sends it again waits, and is told to come again."""
    seen: Counter[str] = Counter()
    async with service_in_process(postgres.text, **ANSWERED) as client:
        await postgres.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await postgres.execute("SELECT pg_reload_conf()")
        asking = asyncio.create_task(until_answered(client, "/users", ada(1), seen))
        await postgres.until("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'", 1)
        async with asyncio.timeout(10):
            while not seen["409"]:
                await asyncio.sleep(0.05)
        await postgres.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await postgres.execute("SELECT pg_reload_conf()")
        answer = await asking
        users = await postgres.fetch("SELECT FROM users")

    print("no standby:", dict(seen))
    assert (answer.status_code, len(users)) == (201, 1)
    assert seen.keys() == {"503", "409", "sent again", "201 replayed"}


async def test_behind_a_pooler_twenty_at_once_are_one(postgres: PrivatePostgres) -> None:
    key, seen = str(uuid4()), Counter[str]()
    async with pgbouncer(postgres.port) as port:
        url = f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres?prepared_statement_cache_size=0"
        async with service(url, workers=2, LOG_LEVEL="error") as running, running.client() as client:
            answers = await asyncio.gather(*(until_answered(client, "/users", ada(1), seen, key) for _ in range(20)))
            limits = await asyncio.gather(*(_lock_timeout(port) for _ in range(6)))
            users = await postgres.fetch("SELECT FROM users")

    assert len({(answer.status_code, answer.text, answer.headers["etag"]) for answer in answers}) == 1
    assert (answers[0].status_code, len(users), set(limits)) == (201, 1, {"0"})
    assert (seen["201"], seen["201 replayed"]) == (1, 19)


async def _lock_timeout(port: int) -> str:
    """What the server of a pooler has, once it is somebody else's."""
    connection = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", statement_cache_size=0)
    found = await connection.fetchval("SELECT current_setting('lock_timeout') FROM pg_sleep(0.05)")
    await connection.close()
    return str(found)
