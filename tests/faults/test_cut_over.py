"""The cut-over: a FastAPI service under load hands its database and its traffic over, and could have them back."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from alembic.util import CommandError

from tests.adoptions import adopt, missing
from tests.databases import as_text, empty_database, migrate
from tests.faults.services import service
from tests.migrations import execute, rows
from tests.predecessors import make_tables, predecessor_process


class People:
    """Those who sign up and read, at whichever service they are sent to."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.reads_at = self.writes_at = client
        self.created: list[tuple[int, str]] = []
        self.answers: Counter[tuple[str, int]] = Counter()
        self._turns: Counter[asyncio.Task[None] | None] = Counter()
        self._over = False
        self._tasks = [
            asyncio.create_task(task) for task in (*map(self._sign_up, range(3)), self._read(), self._read())
        ]

    async def _sign_up(self, who: int) -> None:
        number = 0
        while not self._over:
            number += 1
            email = f"person-{who}-{number}@example.com"
            client = self.writes_at
            body = {"name": "Ann", "email": email, "password": "a long enough one"}
            answer = await ask(client.post("/users", json=body))
            self.answers["POST", answer.status_code] += 1
            self._turns[asyncio.current_task()] += 1
            if answer.status_code == 201:
                self.created.append((answer.json()["id"], email))

    async def _read(self) -> None:
        while not self._over:
            await asyncio.sleep(0.01)
            if self.created:
                user_id, email = random.choice(self.created)
                one = await ask(self.reads_at.get(f"/users/{user_id}"))
                page = await ask(self.reads_at.get("/users?size=5"))
                self.answers["GET", one.status_code] += 1
                self.answers["GET", page.status_code] += 1
                self._turns[asyncio.current_task()] += 1
                assert one.status_code == 500 or one.json()["email"] == email

    async def until(self, more: int) -> None:
        """Wait until so many more have signed up, and nobody waits for what was asked before."""
        enough, before = len(self.created) + more, self._turns.copy()
        async with asyncio.timeout(120):
            while len(self.created) < enough or any(self._turns[task] < before[task] + 2 for task in self._tasks):
                await asyncio.sleep(0.02)
                for task in self._tasks:
                    assert not task.done(), task.exception()

    async def go(self) -> None:
        """Let everybody have his answer."""
        self._over = True
        await asyncio.gather(*self._tasks)


async def ask(request: Awaitable[httpx.Response]) -> httpx.Response:
    """uvicorn closes a connection behind each 500, without a word: what is sent into it meanwhile fails as well."""
    try:
        return await request
    except (httpx.ReadError, httpx.RemoteProtocolError):
        return httpx.Response(500)


async def insist(what: Callable[[], Awaitable[Any]]) -> None:
    """As the page says: what cannot have the tables in time changes nothing, and is run again."""
    async with asyncio.timeout(120):
        while True:
            try:
                done = await what()
                told = done.output if done and done.exit_code else ""
            except CommandError as error:
                told = str(error)
            if "did not let go" not in told:
                assert told == ""
                return


async def test_nobody_who_signed_up_is_lost_while_the_services_change() -> None:
    """Takes its time: three processes start, and more than a hundred passwords are hashed."""
    async with empty_database() as url:
        await make_tables(url)
        async with predecessor_process(url) as (old, stop):
            people = People(old)
            await people.until(40)
            await insist(lambda: adopt(url, "--no-prompt"))
            await people.until(15)
            await insist(lambda: migrate(url))
            await people.until(15)
            by_old = len(people.created)
            failed = +Counter({key: count for key, count in people.answers.items() if key[1] >= 400})
            async with service(as_text(url)) as running, running.client() as ours:
                people.answers.clear()
                people.reads_at = ours
                await people.until(15)
                people.writes_at = ours
                await people.until(40)
                assert await stop() in (0, -signal.SIGTERM)
                by_ours = len(people.created) - by_old
                moved = Counter(people.answers)
                async with predecessor_process(url) as (back, _):
                    people.reads_at = people.writes_at = back
                    await people.until(15)
                    await people.go()
                    page = (await back.get("/users?size=1")).json()
                assert (await ours.get("/users?size=1")).json() == page

        stored = dict(await rows(url, "SELECT id, email FROM users"))
        print("signed up before", by_old, "while moving", by_ours, "failed before", dict(failed), "moving", dict(moved))
        assert len(dict(people.created)) == len(people.created)
        assert {user_id: stored.get(user_id) for user_id, _ in people.created} == dict(people.created)
        assert page["total"] == len(stored)
        assert {status for _, status in failed} <= {500}
        assert {status for _, status in moved} <= {200, 201}
        assert await missing(url) == []
        await execute(url, "SELECT recount('users')")
