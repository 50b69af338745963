"""Repeats: a POST with an Idempotency-Key is done once, however often it is sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app import create_app
from app.credentials.passwords import Passwords
from app.operations.upkeep import Upkeep
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.faults.test_acknowledged import AT_COMMIT
from tests.problems import invalid, problem, problem_of

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
ADA = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
ROUTES: list[tuple[str, Any, Any]] = [("/users", ADA, {**ADA, "name": "Eve"})]
REUSED = problem(
    422,
    "idempotency_key_reused",
    "This Idempotency-Key was used for another request",
    {"detail": "must be new for each request that is not a repeat", "header": "Idempotency-Key"},
)


async def send(
    client: httpx.AsyncClient, path: str = "/users", body: Any = ADA, *, key: str | None = KEY, **headers: str
) -> httpx.Response:
    return await client.post(path, json=body, headers={**({} if key is None else {"Idempotency-Key": key}), **headers})


def told(answer: httpx.Response) -> tuple[Any, ...]:
    """What is alike in the first answer and in those to its repeats."""
    headers = [answer.headers.get(name) for name in ("location", "etag", "content-type", "content-length")]
    return answer.status_code, answer.content, *headers


def is_replayed(answer: httpx.Response) -> bool:
    return bool(answer.headers.get("idempotency-replayed") == "true")


async def scalar(engine: AsyncEngine, sql: str) -> Any:
    async with engine.connect() as connection:
        return await connection.scalar(text(sql))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed."""
    found: list[str] = []
    hash_password = Passwords.hash

    async def counted(self: Passwords, password: str) -> str:
        found.append(password)
        return await hash_password(self, password)

    monkeypatch.setattr(Passwords, "hash", counted)
    return found


@pytest.mark.parametrize(("path", "body", "_other"), ROUTES)
async def test_a_repeat_is_answered_as_the_first_was(
    client: httpx.AsyncClient, path: str, body: Any, _other: Any
) -> None:
    first = await send(client, path, body)
    again = await send(client, path, body)

    assert (first.status_code, is_replayed(first)) == (201, False)
    assert (told(again), is_replayed(again)) == (told(first), True)
    assert (await client.get(path.removesuffix("/bulk"))).json()["total"] == 1


async def test_the_first_answer_is_the_one_without_a_key(client: httpx.AsyncClient) -> None:
    with_key = await send(client)
    without = await send(client, body={**ADA, "email": "eve@example.com"}, key=None)

    assert with_key.headers.keys() == without.headers.keys()
    assert with_key.json().keys() == without.json().keys()


async def test_a_repeat_is_not_hashed_and_its_password_not_compared(
    client: httpx.AsyncClient, hashed: list[str]
) -> None:
    await send(client)
    again = await send(client, body={**ADA, "password": "another horse"})

    assert (again.status_code, is_replayed(again), hashed) == (201, True, [ADA["password"]])


@pytest.mark.parametrize(("path", "body", "other"), ROUTES)
async def test_another_payload_is_422_and_tells_nothing(
    client: httpx.AsyncClient, path: str, body: Any, other: Any
) -> None:
    await send(client, path, body)
    answer = await send(client, path, other)

    assert problem_of(answer) == REUSED
    assert "ada" not in answer.text.replace(answer.headers["x-request-id"], "").lower()


async def test_without_a_key_nothing_is_kept(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    first = await send(client, key=None)
    again = await send(client, key=None)

    assert (first.status_code, again.status_code, again.json()["code"]) == (201, 409, "email_taken")
    assert await scalar(engine, "SELECT count(*) FROM idempotency_keys") == 0


@pytest.mark.parametrize(
    ("one", "same"), [("abc", '"abc"'), ("a\\b", '"a\\\\b"'), ('a"b', '"a\\"b"'), ("x" * 255,) * 2]
)
async def test_a_key_is_bare_or_quoted(client: httpx.AsyncClient, one: str, same: str) -> None:
    await send(client, key=one)

    assert is_replayed(await send(client, key=same))


@pytest.mark.parametrize(
    "key", ["", " ", '""', '"a', "a b", '"a", "b"', '"a";b=1', '"a b"', "x" * 256, '"\\a"', "\xe9"]
)
async def test_a_malformed_key_is_422(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post("/users", json=ADA, headers={b"Idempotency-Key": key.encode("latin-1")})

    detail = "must be 1 to 255 visible ASCII characters, as they are or as a quoted string"
    assert problem_of(answer) == invalid({"detail": detail, "header": "Idempotency-Key"})
    assert (await client.get("/users")).json()["total"] == 0


@pytest.mark.parametrize("second", ["b", "a", ""])
async def test_two_keys_are_none(client: httpx.AsyncClient, second: str) -> None:
    answer = await client.post("/users", json=ADA, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", second)])

    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("refused", "status"),
    [({"email": "taken@example.com"}, 409), ({"name": ""}, 422), ({"password": "ada@example.com"}, 422)],
)
async def test_what_was_refused_runs_anew(client: httpx.AsyncClient, refused: dict[str, str], status: int) -> None:
    await send(client, body={**ADA, "email": "taken@example.com"}, key=None)

    first = await send(client, body={**ADA, **refused})
    second = await send(client, body={**ADA, **refused})
    mended = await send(client)

    assert (first.status_code, second.status_code, second.content != b"") == (status, status, True)
    assert not is_replayed(second)
    assert (mended.status_code, is_replayed(mended)) == (201, False)


async def test_the_answer_stays_the_first_and_goes_with_its_user(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    first = await send(client)
    await client.patch("/users/1", json={"name": "Ada King"})

    changed = await send(client)
    await client.delete("/users/1")
    kept = await scalar(engine, "SELECT count(*) FROM idempotency_keys")
    gone = await send(client)

    assert (told(changed), kept) == (told(first), 0)
    assert (gone.status_code, gone.json()["id"], is_replayed(gone)) == (201, 2, False)


async def test_what_is_kept_holds_no_password(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await send(client)
    kept = await scalar(engine, "SELECT encode(body, 'escape') FROM idempotency_keys")
    one = await scalar(engine, "SELECT fingerprint FROM idempotency_keys")
    await client.delete("/users/1")
    await send(client, body={**ADA, "password": "another horse"})

    assert kept == '{"id":1,"name":"Ada","email":"ada@example.com"}'
    assert await scalar(engine, "SELECT fingerprint FROM idempotency_keys") == one
    assert await scalar(engine, f"SELECT count(*) FROM idempotency_keys k WHERE k::text LIKE '%{KEY[:8]}%'") == 0


async def test_of_twenty_at_once_one_is_done_and_all_are_answered_alike(
    client: httpx.AsyncClient, hashed: list[str]
) -> None:
    answers = await asyncio.gather(*(send(client) for _ in range(20)))

    assert len({told(answer) for answer in answers}) == 1
    assert (answers[0].status_code, Counter(map(is_replayed, answers))) == (201, {True: 19, False: 1})
    assert (len(hashed), (await client.get("/users")).json()["total"]) == (1, 1)


@pytest.fixture
async def workers(
    client: httpx.AsyncClient, database: DatabaseUrl, engine: AsyncEngine
) -> AsyncIterator[list[Litestar]]:
    """Two that count sign-ups, before nothing is counted."""
    await scalar(engine, "WITH emptied AS (DELETE FROM throttles RETURNING 1) SELECT count(*) FROM emptied")
    settings = Settings(database_url=database, access="token", log_format="json", log_level="error")
    first, second = create_app(settings), create_app(settings)
    async with first.lifespan(), second.lifespan():
        yield [first, second]


def at(worker: Litestar) -> httpx.AsyncClient:
    return client_of(worker, address="203.0.113.7", host="api.example.com")


CHARGED = "SELECT round(extract(epoch FROM max(free_at) - clock_timestamp()) / 180) FROM throttles"
"""Sign-ups that count at this moment."""


async def test_of_twenty_at_two_workers_one_is_done_and_charged(workers: list[Litestar], engine: AsyncEngine) -> None:
    async with at(workers[0]) as one, at(workers[1]) as other:
        answers = await asyncio.gather(*(send(client) for _ in range(10) for client in (one, other)))

    assert len({told(answer) for answer in answers}) == 1
    assert (answers[0].status_code, Counter(map(is_replayed, answers))) == (201, {True: 19, False: 1})
    assert await scalar(engine, "SELECT count(*) FROM users") == 1
    assert await scalar(engine, CHARGED) == 1


async def test_a_repeat_is_not_charged_and_a_refusal_is(workers: list[Litestar], engine: AsyncEngine) -> None:
    async with at(workers[0]) as client:
        for _ in range(25):
            answer = await send(client)
        charged = await scalar(engine, CHARGED)
        refused = await send(client, key="another-random-key")

    assert (answer.status_code, is_replayed(answer), charged) == (201, True, 1)
    assert (refused.json()["code"], await scalar(engine, CHARGED)) == ("email_taken", 2)


async def test_what_fails_gives_its_charge_back(workers: list[Litestar], engine: AsyncEngine) -> None:
    async with at(workers[0]) as client, engine.connect() as connection:
        for statement in AT_COMMIT.format(body="RAISE EXCEPTION '' USING ERRCODE = '40001'").split(";\n")[:2]:
            await connection.execute(text(statement))
        try:
            failed = await send(client)
        finally:
            await connection.execute(text("DROP FUNCTION at_commit CASCADE"))
        charged = await scalar(engine, CHARGED)
        again = await send(client)

    assert (failed.status_code, charged) == (503, 0)
    assert (again.status_code, is_replayed(again), await scalar(engine, CHARGED)) == (201, False, 1)


async def test_a_stranger_who_guesses_a_key_reads_nothing(remote: httpx.AsyncClient) -> None:
    await send(remote)

    guessed = await send(remote, body={"name": "Eve", "email": "eve@example.com", "password": "battery staple"})

    assert problem_of(guessed) == REUSED


async def test_a_key_is_kept_for_as_long_as_it_is_said(
    client: httpx.AsyncClient, database: DatabaseUrl, engine: AsyncEngine
) -> None:
    app = create_app(Settings(database_url=database, idempotency_hours=3, log_format="json", log_level="error"))
    async with app.lifespan(), client_of(app) as other:
        first = await send(other)
    hours = await scalar(engine, "SELECT extract(epoch FROM expires_at - now()) / 3600 FROM idempotency_keys")
    await scalar(engine, "UPDATE idempotency_keys SET expires_at = now() - interval '1 s' RETURNING 1")
    still = await send(client)
    await Upkeep(engine).run()
    gone = await send(client)

    assert 2.9 < hours <= 3
    assert (told(still), is_replayed(still)) == (told(first), True)
    assert (gone.status_code, gone.json()["code"]) == (409, "email_taken")
