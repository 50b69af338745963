"""Clients: who read and write all the time, repeat what was not answered, and write down what they are told."""

import asyncio
import random
import threading
import time
from contextlib import suppress
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from benchmarks.cluster.ledger import Created, Ledger

READERS = 8
WRITERS = 24
SIGNING_UP = 12
"""Of so many writers one signs people up, which costs a hash each; the others create developers."""
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 75
"""Longer than the service may take."""


class Clients:
    """Context in which they run, in a thread with a loop of its own."""

    def __init__(self, port: int, database: str) -> None:
        self._database = database
        self.ledger = Ledger()
        self._base = f"http://127.0.0.1:{port}"
        self._enough = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> "Clients":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join(5)

    def begin(self) -> Ledger:
        """A new page: what was acknowledged before is still to be there."""
        self.ledger = Ledger(acknowledged=dict(self.ledger.acknowledged))
        return self.ledger

    async def _run(self) -> None:
        tasks = [asyncio.create_task(self._live(number)) for number in range(WRITERS + READERS)]
        tasks.append(asyncio.create_task(self._look()))
        while not self._enough.is_set():
            await asyncio.sleep(0.1)
            for task in tasks:
                if task.done():
                    task.result()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(self, number: int) -> None:
        """Create, read it, change it, read a page, and again."""
        path = "/users" if number % SIGNING_UP == 0 else "/developers"
        # There is no TLS here, and reading certificates for each client would take seconds.
        options: dict[str, Any] = {"timeout": PATIENCE_SECONDS, "trust_env": False, "verify": False}
        async with httpx.AsyncClient(base_url=self._base, **options) as client:
            while number >= WRITERS:
                await self._read(client, random.choice(["/developers/1", "/developers?size=10", "/users?cursor="]))
            while True:
                body = {"name": "0", "email": f"{uuid4().hex}@example.com"}
                more = {"password": uuid4().hex} if path == "/users" else {"specialty": "engines"}
                created = await self._write(client, "POST", path, body | more)
                if created is None:
                    continue
                mine = created.headers["location"]
                self.ledger.acknowledged[mine] = Created(mine, body["email"], 0)
                await self._read(client, mine)
                if await self._write(client, "PATCH", mine, {"name": "1"}):
                    self.ledger.acknowledged[mine] = Created(mine, body["email"], 1)
                await self._read(client, f"{path}?cursor=&size=20&sort=-created_at")

    async def _look(self) -> None:
        """Whether there is a primary, past the service and whatever stands before the database."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await (await asyncpg.connect(self._database, timeout=1)).close()
                self.ledger.primaries.append(time.monotonic())

    async def _write(self, client: httpx.AsyncClient, method: str, path: str, body: Any) -> httpx.Response | None:
        """Send until it is answered: a POST by its key, a PATCH because it says the same again. None: refused."""
        headers = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
        while True:
            answer = await self._send(client, method, path, json=body, headers=headers)
            if answer is not None and answer.is_success:
                self.ledger.writes.append(time.monotonic())
                self.ledger.replayed += "idempotency-replayed" in answer.headers
                return answer
            if answer is not None and answer.status_code < 500 and _code(answer) != "request_in_progress":
                return None
            self.ledger.sent_again += 1

    async def _read(self, client: httpx.AsyncClient, path: str) -> None:
        answer = await self._send(client, "GET", path)
        if answer is not None and answer.is_success:
            self.ledger.reads.append(time.monotonic())

    async def _send(self, client: httpx.AsyncClient, method: str, path: str, **what: Any) -> httpx.Response | None:
        await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE_SECONDS)
        began = time.monotonic()
        try:
            answer = await client.request(method, path, **what)
        except httpx.TransportError as error:
            self.ledger.errors[type(error).__name__] += 1
            return None
        finally:
            self.ledger.slowest = max(self.ledger.slowest, time.monotonic() - began)
        if not answer.is_success:
            self.ledger.errors[f"{answer.status_code} {_code(answer)}"] += 1
        return answer


def _code(answer: httpx.Response) -> str:
    """What the service says; HAProxy's own answers have none."""
    try:
        return str(answer.json()["code"])
    except ValueError:
        return "of HAProxy"
