"""Throttling: who tries too often has to wait, and nobody else has to."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app import create_app
from app.http.client_address import ClientAddress
from app.repository.limits import SIGN_IN, SIGN_UP, Attempt
from app.repository.throttles import Throttle
from app.settings import Settings, load_settings
from app.settings.database_url import DatabaseUrl
from tests.callers import PASSWORD, add_session, add_user, bearer
from tests.clients import client_of
from tests.problems import problem, problem_of

LIMITED = problem(429, "rate_limited", "Too many attempts; Retry-After says when the next one is due")
HERE, THERE = "203.0.113.7", "198.51.100.8"
RIGHT, WRONG = ({"email": "ada@example.com", "password": word} for word in (PASSWORD, "another horse"))


@pytest.fixture
async def workers(
    client: httpx.AsyncClient, database: DatabaseUrl, engine: AsyncEngine
) -> AsyncIterator[list[Litestar]]:
    """Two that count, before nothing is counted."""
    async with engine.connect() as connection:
        await connection.execute(text("TRUNCATE throttles"))
    settings = Settings(database_url=database, access="token", log_format="json", log_level="error")
    first, second = create_app(settings), create_app(settings)
    async with first.lifespan(), second.lifespan():
        yield [first, second]


def at(worker: Litestar, address: str) -> httpx.AsyncClient:
    return client_of(worker, address=address, host="api.example.com")


async def test_of_many_guesses_at_once_five_reach_the_hash(workers: list[Litestar], engine: AsyncEngine) -> None:
    await add_user(engine, "Ada")

    async with at(workers[0], HERE) as one, at(workers[1], HERE) as other:
        guesses = (client.post("/sessions", json=WRONG) for _ in range(30) for client in (one, other))
        answers = await asyncio.gather(*guesses)
        late = await other.post("/sessions", json={**RIGHT, "email": "ADA@example.com"})

    assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 55}
    assert problem_of(late) == LIMITED
    assert 0 < int(late.headers["retry-after"]) <= 180
    assert late.headers["ratelimit-policy"] == '"sign-in";q=5;w=900'
    assert late.headers["ratelimit"] == f'"sign-in";r=0;t={late.headers["retry-after"]}'


async def test_a_stranger_keeps_nobody_out_of_a_network_that_is_known(
    workers: list[Litestar], engine: AsyncEngine
) -> None:
    await add_user(engine, "Ada")
    sign_in = Throttle(engine, SIGN_IN)
    async with at(workers[0], HERE) as home, at(workers[0], THERE) as elsewhere:
        first = await home.post("/sessions", json=RIGHT)
        for n in range(50):
            await sign_in.charge(Attempt(f"192.0.2.{n}/32", "ada@example.com"))

        again = await home.post("/sessions", json=RIGHT)
        stranger = await elsewhere.post("/sessions", json=RIGHT)

    assert [first.status_code, again.status_code] == [201, 201]
    assert (problem_of(stranger), stranger.headers["ratelimit-policy"]) == (
        LIMITED,
        '"sign-in of an account";q=50;w=3600',
    )


async def test_a_success_is_not_counted(workers: list[Litestar], engine: AsyncEngine) -> None:
    await add_user(engine, "Ada")

    async with at(workers[0], HERE) as client:
        statuses = [(await client.post("/sessions", json=body)).status_code for body in [RIGHT] * 6 + [WRONG] * 6]

    assert statuses == [201] * 6 + [401] * 5 + [429]


async def test_guesses_are_counted_where_there_is_no_password(workers: list[Litestar], engine: AsyncEngine) -> None:
    await add_user(engine, "Ada")
    async with engine.connect() as connection:
        await connection.execute(text("UPDATE users SET hashed_password = ''"))

    async with at(workers[0], HERE) as client:
        statuses = [(await client.post("/sessions", json=WRONG)).status_code for _ in range(6)]

    assert statuses == [401] * 5 + [429]


async def test_what_overload_turned_away_is_not_counted(
    workers: list[Litestar], engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = bearer(await add_session(engine, await add_user(engine, "Ada", is_admin=True)))
    change = {"current_password": PASSWORD, "new_password": "battery staple"}
    new = {"name": "Eve", "email": "eve@example.com", "password": PASSWORD}
    key = {"Idempotency-Key": "0123456789abcdef"}

    async with at(workers[0], HERE) as client:
        token = (await client.post("/users/1/password-resets", headers=mine)).json()["token"]
        chosen = {"token": token, "new_password": "battery staple"}
        with monkeypatch.context() as overload:
            overload.setattr(cast("Any", workers[0].dependencies["passwords"]).dependency(), "limit", 0)
            refused = [await client.post("/sessions", json=RIGHT) for _ in range(6)]
            refused += [await client.put("/users/1/password", json=change, headers=mine) for _ in range(6)]
            refused += [await client.post("/password-resets", json=chosen) for _ in range(6)]
            refused += [await client.post("/users", json=new, headers=headers) for headers in [{}, key] * 11]
        async with engine.connect() as connection:
            ahead = list(await connection.scalars(text("SELECT free_at > now() + interval '1 s' FROM throttles")))
        let_in = await client.post("/sessions", json=RIGHT)

    assert [answer.status_code for answer in refused] == [503] * 40
    assert (any(ahead), let_in.status_code) == (False, 201)


async def test_a_network_is_counted_whomever_it_tries(workers: list[Litestar], engine: AsyncEngine) -> None:
    sign_in = Throttle(engine, SIGN_IN)
    for n in range(30):
        await sign_in.charge(Attempt(f"{HERE}/32", f"u{n}@example.com"))

    async with at(workers[0], f"::ffff:{HERE}") as client, at(workers[0], THERE) as other:
        answers = [await one.post("/sessions", json=WRONG) for one in (client, other)]

    assert [answer.status_code for answer in answers] == [429, 401]
    assert int(answers[0].headers["retry-after"]) <= 2


async def test_sign_ups_are_counted_by_network(workers: list[Litestar], engine: AsyncEngine) -> None:
    for _ in range(20):
        await Throttle(engine, SIGN_UP).charge(Attempt(f"{HERE}/32"))
    new = {"name": "Eve", "email": "eve@example.com", "password": PASSWORD}

    async with at(workers[0], HERE) as client, at(workers[0], THERE) as other:
        answers = [await one.post("/users", json=new) for one in (client, other)]

    assert [answer.status_code for answer in answers] == [429, 201]


async def test_refusals_are_counted_by_route(workers: list[Litestar], engine: AsyncEngine) -> None:
    root = bearer(await add_session(engine, await add_user(engine, "Root", is_admin=True)))
    for _ in range(5):
        await Throttle(engine, SIGN_IN).charge(Attempt(f"{HERE}/32", "ada@example.com"))

    async with at(workers[0], HERE) as client:
        await client.post("/sessions", json=WRONG)
        shown = (await client.get("/metrics", headers=root)).text

    assert re.search(r'_count{.*route="/sessions",status="429"} [1-9]', shown)


async def test_guessing_the_current_password_counts_as_signing_in(workers: list[Litestar], engine: AsyncEngine) -> None:
    mine = bearer(await add_session(engine, await add_user(engine, "Ada")))
    change = {"current_password": "another horse", "new_password": "battery staple"}

    async with at(workers[0], HERE) as client:
        guesses = [(await client.put("/users/1/password", json=change, headers=mine)).status_code for _ in range(6)]
        late = await client.post("/sessions", json=RIGHT)

    assert (guesses, late.status_code) == ([422] * 5 + [429], 429)


async def test_room_comes_back_with_time(workers: list[Litestar], engine: AsyncEngine) -> None:
    attempt, sign_in = Attempt(f"{HERE}/32", "ada@example.com"), Throttle(engine, SIGN_IN)
    for _ in range(5):
        await sign_in.charge(attempt)
    async with engine.connect() as connection:
        await connection.execute(text("UPDATE throttles SET free_at = free_at - interval '180 s'"))

    await sign_in.charge(attempt)

    async with at(workers[0], HERE) as client:
        assert (await client.post("/sessions", json=WRONG)).status_code == 429


async def test_one_connection_is_enough_for_whatever_is_counted(
    client: httpx.AsyncClient, database: DatabaseUrl, engine: AsyncEngine
) -> None:
    ada = await add_user(engine, "Ada")
    root = bearer(await add_session(engine, await add_user(engine, "Root", is_admin=True)))
    settings = Settings(
        database_url=database, db_pool_size=1, db_max_overflow=0, db_pool_timeout=1, access="token", log_level="error"
    )
    app = create_app(settings)
    new = {"name": "Eve", "email": "eve@example.com", "password": PASSWORD}
    async with engine.connect() as connection:
        await connection.execute(text("TRUNCATE throttles"))

    async with app.lifespan(), at(app, HERE) as worker:
        begun = await worker.post(f"/users/{ada}/password-resets", headers=root)
        chosen = {"token": begun.json()["token"], "new_password": "battery staple"}
        reset = await worker.post("/password-resets", json=chosen)
        signed_in = await worker.post("/sessions", json={**RIGHT, "password": "battery staple"})
        mine = bearer(signed_in.json().get("token", ""))
        change = {"current_password": "battery staple", "new_password": PASSWORD}
        changed = await worker.put(f"/users/{ada}/password", json=change, headers=mine)
        signed_up = await worker.post("/users", json=new, headers={"Idempotency-Key": "0123456789abcdef"})
        taken = await worker.post("/users", json=new, headers={"Idempotency-Key": "fedcba9876543210"})

    answers = (begun, reset, signed_in, changed, signed_up, taken)
    assert [answer.status_code for answer in answers] == [201, 204, 201, 204, 201, 409]


@pytest.mark.parametrize(
    ("trusted", "peer", "passed_on", "network"),
    [
        ("", "203.0.113.7", None, "203.0.113.7/32"),
        ("", "::ffff:203.0.113.7", None, "203.0.113.7/32"),
        ("", "2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("", "", None, None),
        ("", "", "1.2.3.4", None),
        ("127.0.0.1", "", None, None),
        ("127.0.0.1", "", "6.6.6.6, 1.2.3.4, 127.0.0.1", "1.2.3.4/32"),
        ("", "10.0.0.1", "1.2.3.4", None),
        ("", "::ffff:172.17.0.1", "1.2.3.4", None),
        ("", "9.9.9.9", "1.2.3.4", "9.9.9.9/32"),
        ("", "2600:1:2:3::4", "1.2.3.4", "2600:1:2:3::/64"),
        ("10.0.0.0/8", "203.0.113.7", "1.2.3.4", "203.0.113.7/32"),
        ("10.0.0.0/8", "10.0.0.1", "1.2.3.4", "1.2.3.4/32"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4/32"),
        ("10.0.0.0/8,2001:db8::/32", "2001:db8::1", "1.2.3.4:5678", "1.2.3.4/32"),
        ("10.0.0.0/8", "10.0.0.1", "[2001:db8::7]:443", "2001:db8::/64"),
        ("::ffff:10.0.0.0/104", "10.0.0.1", "1.2.3.4", "1.2.3.4/32"),
        ("10.0.0.0/8", "10.0.0.1", "1.2.3.4, unknown", None),
        ("10.0.0.0/8", "10.0.0.1", "1.2.3.4,, 10.0.0.2, ", "1.2.3.4/32"),
        ("10.0.0.0/8", "10.0.0.1", "", "10.0.0.1/32"),
        ("10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3/32"),
    ],
)
def test_the_network_is_that_of_the_first_who_is_not_trusted(
    trusted: str, peer: str, passed_on: str | None, network: str | None
) -> None:
    headers = [] if passed_on is None else [(b"x-forwarded-for", passed_on.encode())]
    scope: Any = {"type": "http", "client": (peer, 1), "headers": headers}
    proxies = load_settings({"TRUSTED_PROXIES": trusted}).trusted_proxies

    assert ClientAddress(proxies).network(Request(scope)) == network


@pytest.mark.parametrize("header", [b"forwarded", b"x-real-ip", b"x-forwarded-proto", b"via"])
def test_a_neighbour_who_speaks_for_others_has_no_address_of_its_own(header: bytes) -> None:
    def seen(peer: str, trusted: str = "") -> str | None:
        scope: Any = {"type": "http", "client": (peer, 1), "headers": [(header, b"for=1.2.3.4")]}
        return ClientAddress(load_settings({"TRUSTED_PROXIES": trusted}).trusted_proxies).network(Request(scope))

    assert [seen("127.0.0.1"), seen("10.0.0.1"), seen("9.9.9.9")] == [None, None, "9.9.9.9/32"]
    assert seen("127.0.0.1", trusted="127.0.0.1") == "127.0.0.1/32"
