"""PgBouncer: several processes share a real one in transaction mode, without an error and with time-outs in force."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from app.database.postgres import _hand_over
from tests.faults.answers import assert_unavailable, timed
from tests.faults.ports import free_port
from tests.faults.postgres import PrivatePostgres
from tests.faults.services import ada, service
from tests.programs import program

_SERVERS = 6
_CONFIGURATION = """
[databases]
postgres = host=127.0.0.1 port={target} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {servers}
max_client_conn = 200
logfile = {folder}/log
"""


@asynccontextmanager
async def pgbouncer(target: int, servers: int = _SERVERS) -> AsyncIterator[int]:
    """A PgBouncer before the server on a port of this machine; its own port."""
    bouncer, port, folder = program("pgbouncer"), free_port(), Path(tempfile.mkdtemp(prefix="pgbouncer-", dir="/tmp"))
    settings = _CONFIGURATION.format(target=target, port=port, servers=servers, folder=folder)
    (folder / "ini").write_text(settings)
    (folder / "ini").chmod(0o644)
    _hand_over(folder)
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    process = subprocess.Popen(  # noqa: ASYNC220  # returns at once
        [bouncer, "--quiet", str(folder / "ini")], user=user and user.pw_uid, group=user and user.pw_gid
    )
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                except OSError:
                    assert process.poll() is None, (folder / "log").read_text()
                    await asyncio.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


async def _ask(client: httpx.AsyncClient, number: int) -> int | str:
    """One of two thousand mixed requests; the text of an answer that should not be."""
    if number % 100 == 0:
        answer, expected = await client.post("/users", json=ada(f"-{number}")), 201
    elif number % 100 == 1:
        answer, expected = await client.post("/users", json=ada(number % 8)), 409
    elif number % 4 == 0:
        answer, expected = await client.patch(f"/users/{number % 8 + 1}", json={"name": f"{number}"}), 200
    elif number % 4 == 1:
        answer, expected = await client.get(f"/users?size=5&page={number % 3 + 1}"), 200
    elif number % 4 == 2:
        answer, expected = await client.get("/users?cursor=&size=5&sort=-created_at"), 200
    else:
        answer, expected = await client.get(f"/users/{number % 8 + 1}"), 200
    return answer.status_code if answer.status_code == expected else answer.text


async def test_two_thousand_requests_through_pgbouncer(postgres: PrivatePostgres) -> None:
    limits: dict[str, Any] = {"DB_STATEMENT_TIMEOUT": "2", "LOG_LEVEL": "warning"}
    async with pgbouncer(postgres.port) as port:
        url = f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres?prepared_statement_cache_size=0"
        async with service(url, workers=2, **limits) as running, running.client() as client:
            for number in range(8):
                assert (await client.post("/users", json=ada(number))).status_code == 201
            numbers = iter(range(2000))
            answers: list[int | str] = []

            async def ask_on() -> None:
                for number in numbers:
                    answers.append(await _ask(client, number))  # noqa: PERF401  # one after the other

            began = time.monotonic()
            await asyncio.gather(*(ask_on() for _ in range(32)))
            took = time.monotonic() - began
            servers = await postgres.fetch("SELECT FROM pg_stat_activity WHERE application_name = 'litestar-users'")
            locked = await asyncpg.connect(postgres.text.replace("+asyncpg", ""))
            async with locked.transaction():
                await locked.execute("LOCK TABLE users")
                late = await asyncio.gather(
                    timed(client.get("/users/1")), timed(client.patch("/users/1", json={"name": "Eve"}))
                )
            await locked.close()
            output = running.output()

    print(f"2000 requests in {took:.1f} s: {dict(Counter(answers))}, {len(servers)} servers")
    assert dict(Counter(answers)) == {200: 1960, 201: 20, 409: 20}
    assert 0 < len(servers) <= _SERVERS
    for answer, seconds in late:
        assert_unavailable(answer, "statement_timeout")
        assert 1.9 < seconds < 3
    assert output.count('"level": "warning"') == 2, output
