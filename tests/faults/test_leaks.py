"""Leaks: no password, hash or value in any log line; no SQL in any answer, nor in a log that did not ask for it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import asyncpg
import httpx
import pytest

from tests.faults.network import Proxy
from tests.faults.postgres import PrivatePostgres
from tests.faults.services import ROOT, service
from tests.faults.test_acknowledged import AT_COMMIT

SECRETS = ["Geheim-Passwort-1", "$argon2", "versteckt@example.com", "Verborgen", "constraint-detail"]
_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|COMMIT|ROLLBACK)\b(?! /)", re.ASCII)
LEAKY = {"name": "Verborgen", "email": "versteckt@example.com", "password": "Geheim-Passwort-1"}


async def _provoke(client: httpx.AsyncClient, postgres: PrivatePostgres, proxy: Proxy) -> list[httpx.Response]:
    """Everything that can be answered, the worst included."""
    answers = [await client.post("/users", json=body) for body in (LEAKY, LEAKY, {**LEAKY, "name": None}, [LEAKY])]
    json = {"Content-Type": "application/json"}
    answers += [
        await client.post("/users", content=content, headers=json)
        for content in (b'{"password": "Geheim-Passwort-1', b'{"password": "Geheim-Passwort-1\xff"}', b"\xff" * 70_000)
    ]
    answers.append(await client.post("/users", content=b'{"password": "Geheim-Passwort-1"}'))
    answers += [await client.get(f"/users?{query}") for query in ("email=versteckt@example.com", "q=Verborgen&size=0")]
    answers.append(await client.patch("/users/1", json={"name": "Verborgen", "password": "Geheim-Passwort-1"}))

    for body in ("RAISE EXCEPTION 'constraint-detail %', NEW", "PERFORM pg_terminate_backend(pg_backend_pid())"):
        await postgres.execute(AT_COMMIT.format(body=body))
        answers.append(await client.post("/users", json={**LEAKY, "email": "2versteckt@example.com"}))
        await postgres.execute("DROP FUNCTION at_commit CASCADE")
    locked = await asyncpg.connect(postgres.text.replace("+asyncpg", ""))
    async with locked.transaction():
        await locked.execute("LOCK TABLE users")
        answers += await asyncio.gather(client.get("/users/1"), client.post("/users", json=LEAKY))
        asking = [asyncio.create_task(client.patch("/users/1", json={"name": "Verborgen"})) for _ in range(2)]
        await asyncio.sleep(0.2)
        proxy.cut()
        answers += await asyncio.gather(*asking)
    await locked.close()
    await postgres.execute("ALTER TABLE users ALTER name TYPE varchar(3) USING left(name, 3)")
    answers.append(await client.post("/users", json={**LEAKY, "email": "3versteckt@example.com"}))
    await postgres.execute("ALTER TABLE users RENAME email TO e_mail")
    answers += [await client.get("/users/1"), await client.post("/users", json=LEAKY)]
    postgres.kill()
    answers += [await client.get("/users/1"), await client.post("/users", json=LEAKY)]
    return answers


@pytest.mark.parametrize("echo", ["false", "true"])
async def test_nothing_leaks_whatever_breaks(postgres: PrivatePostgres, proxy: Proxy, echo: str) -> None:
    settings: dict[str, Any] = {"DB_ECHO": echo, "LOG_LEVEL": "debug", "LOG_REQUESTS": "true", "LITESTAR_DEBUG": "1"}
    url = proxy.text.replace("postgres@", "postgres:Geheim-Passwort-1@")
    async with service(url, DB_STATEMENT_TIMEOUT="1", **settings) as running:
        async with running.client() as client:
            answers = await _provoke(client, postgres, proxy)
            await asyncio.sleep(0.2)
        running.terminate()
        await running.process.wait()
        output = running.output()

    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 201, 400, 409, 413, 415, 422, 500, 503}
    for answer in answers:
        assert not any(secret in answer.text for secret in ("Geheim-Passwort-1", "$argon2", "constraint-detail"))
        assert not _SQL.search(answer.text)
        assert str(ROOT) not in answer.text
        if answer.status_code >= 400:
            assert not any(secret in answer.text for secret in SECRETS), answer.text
    assert output.count('"event": "defect"') >= 3
    lines = output.splitlines()
    assert not [line for line in lines for secret in SECRETS if secret in line]
    said = [line for line in lines if _SQL.search(line)]
    assert any("INSERT INTO users" in line for line in said) if echo == "true" else not said, said[:3]
