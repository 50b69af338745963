"""Sessions: signing in, who a token is, and what ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import bcrypt
import httpx
import pytest
from argon2 import PasswordHasher
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.credentials.tokens import make_token
from app.database.engine import configure_database
from app.repository.reader import Reader
from app.repository.schemas import Body
from app.resources.sessions.last_use import LastUse
from app.resources.sessions.repository import _BY_EMAIL
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.callers import PASSWORD, add_session, add_user, bearer
from tests.problems import problem, problem_of

SIGN_IN = {"email": "ada@example.com", "password": PASSWORD}
WRONG = problem(401, "unauthenticated", "The address or the password is wrong")
NO_TOKEN = problem(401, "unauthenticated", "A token is needed: Authorization: Bearer")
INVALID = problem(401, "unauthenticated", "The token is not valid")


async def rows(engine: AsyncEngine, statement: str) -> list[Any]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


async def test_from_sign_up_to_sign_out(remote: httpx.AsyncClient) -> None:
    ada = {"name": "Ada", "email": "ada@example.com"}
    signed_up = await remote.post("/users", json={**ada, "password": PASSWORD})
    signed_in = await remote.post(
        "/sessions", json={**SIGN_IN, "email": "ADA@example.com"}, headers={"User-Agent": "me"}
    )
    mine = bearer(signed_in.json()["token"])

    me = await remote.get("/users/me", headers=mine)
    sessions = await remote.get("/sessions", headers=mine)
    signed_out = await remote.delete("/sessions/current", headers=mine)
    after = await remote.get("/users/me", headers=mine)

    assert (signed_up.status_code, signed_in.status_code) == (201, 201)
    body = signed_in.json()
    assert set(body) == {"id", "token", "expires_at", "user"}
    assert body["user"] == me.json() == {"id": 1, **ada}
    assert me.headers["etag"] == signed_up.headers["etag"]
    assert signed_in.headers["cache-control"] == "no-store"
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=719) < left < timedelta(hours=721)
    [session] = sessions.json()["items"]
    assert set(session) == {"id", "created_at", "expires_at", "last_used_at", "user_agent", "current"}
    assert (session["id"], session["current"], session["user_agent"]) == (body["id"], True, "me")
    assert (signed_out.status_code, problem_of(after)) == (204, INVALID)
    assert after.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_the_token_is_stored_as_a_hash_only(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_user(engine, "Ada")
    token = (await remote.post("/sessions", json=SIGN_IN)).json()["token"]

    [(stored,)] = await rows(engine, "SELECT s::text FROM sessions s")
    [(is_hash,)] = await rows(engine, f"SELECT token_hash = sha256('{token}') FROM sessions")

    assert token.startswith("lus_")
    assert token[4:] not in stored
    assert is_hash


@pytest.mark.parametrize(
    "given",
    [
        {**SIGN_IN, "password": "another horse"},
        {**SIGN_IN, "email": "nobody@example.com"},
        {**SIGN_IN, "email": "eve@example.com"},
        {**SIGN_IN, "password": ""},
        {**SIGN_IN, "email": "hashless@example.com"},
    ],
)
async def test_whoever_may_not_sign_in_hears_always_the_same(
    remote: httpx.AsyncClient, engine: AsyncEngine, given: dict[str, str]
) -> None:
    await add_user(engine, "Ada")
    await add_user(engine, "Eve", active=False)
    await add_user(engine, "Hashless", hashed="none")

    answer = await remote.post("/sessions", json=given)

    assert problem_of(answer) == WRONG
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_address_is_measured_by_one_of_the_rows_and_always_by_the_same(
    client: httpx.AsyncClient, engine: AsyncEngine, database: DatabaseUrl
) -> None:
    for n in range(12):
        await add_user(engine, f"U{n}", hashed=f"hash {n}")
    await execute(engine, "DELETE FROM users WHERE id IN (1, 5, 6)")
    pool = configure_database(Settings(database_url=database)).get_engine()
    reader = Reader(pool, limit=10)

    found = {
        address: [(await reader.records(_BY_EMAIL, {"email": address}))[0] for _ in range(2)]
        for address in (f"nobody{n}@example.com" for n in range(60))
    }
    await pool.dispose()

    assert all(first == again and first[0] is None for first, again in found.values())
    measured = {first[-1] for first, _ in found.values()}
    assert measured <= {f"hash {n}" for n in range(12)} - {"hash 0", "hash 4", "hash 5"}
    assert len(measured) > 4


async def test_nobody_can_sign_in_where_nobody_is(remote: httpx.AsyncClient) -> None:
    assert problem_of(await remote.post("/sessions", json=SIGN_IN)) == WRONG


async def test_a_body_that_is_no_sign_in_is_invalid(remote: httpx.AsyncClient) -> None:
    answer = await remote.post("/sessions", json={"email": "ada", "code": 1})

    assert (answer.status_code, len(answer.json()["errors"])) == (422, 3)


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("", NO_TOKEN),
        ("Basic YWRhOnNlY3JldA==", NO_TOKEN),
        ("Bearer", INVALID),
        ("Bearer lus_", INVALID),
        (f"Bearer {make_token()}", INVALID),
        (f"Bearer {make_token()[:-1]}", INVALID),
        ("Bearer \N{LATIN SMALL LETTER E WITH ACUTE}", INVALID),
    ],
    ids=["none", "basic", "empty", "prefix", "invented", "cut", "not ASCII"],
)
async def test_what_is_no_token_of_ours_lets_nobody_in(
    remote: httpx.AsyncClient, authorization: str, expected: dict[str, Any]
) -> None:
    answer = await remote.get("/users/me", headers={b"Authorization": authorization.encode("latin-1")})

    assert problem_of(answer) == expected
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["vary"] == "authorization"


async def test_two_tokens_are_none(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    token = await add_session(engine, await add_user(engine, "Ada"))

    answer = await remote.get("/users/me", headers=[("Authorization", f"Bearer {token}")] * 2)

    assert problem_of(answer) == INVALID


@pytest.mark.parametrize("limits", [{"left": "-1 s"}, {"idle": "169 hours"}])
async def test_a_session_ends_by_age_and_by_rest(
    remote: httpx.AsyncClient, engine: AsyncEngine, limits: dict[str, str]
) -> None:
    ada = await add_user(engine, "Ada")
    ended, lives = await add_session(engine, ada, **limits), await add_session(engine, ada, idle="167 hours")

    refused = await remote.get("/users/me", headers=bearer(ended))
    listed = await remote.get("/sessions", headers=bearer(lives))

    assert problem_of(refused) == INVALID
    assert [one["current"] for one in listed.json()["items"]] == [True]


async def test_whoever_is_deactivated_is_out_at_once_and_stays_out(
    remote: httpx.AsyncClient, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    ada = await add_user(engine, "Ada")
    mine = bearer(await add_session(engine, ada))
    before = await remote.get("/users/me", headers=mine)

    await client.patch(f"/users/{ada}/account", json={"active": False})
    refused = [await remote.get("/users/me", headers=mine)]
    await client.patch(f"/users/{ada}/account", json={"active": True})
    refused += [await remote.get("/users/me", headers=mine)]

    assert before.status_code == 200
    assert [problem_of(answer) for answer in refused] == [INVALID] * 2


async def test_whoever_is_deleted_is_out(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    ada = await add_user(engine, "Ada")
    mine = bearer(await add_session(engine, ada))

    deleted = await remote.delete(f"/users/{ada}", headers=mine)

    assert deleted.status_code == 204
    assert problem_of(await remote.get("/users/me", headers=mine)) == INVALID


async def test_sessions_are_ended_one_by_one_or_all_at_once(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    ada, bob = await add_user(engine, "Ada"), await add_user(engine, "Bob")
    tokens = [await add_session(engine, user) for user in (ada, ada, ada, bob)]
    first, *_, of_bob = map(bearer, tokens)

    ended = [(await remote.delete(f"/sessions/{n}", headers=first)).status_code for n in (2, 2, 4, 2**63, "x")]
    others = [(await remote.get("/users/me", headers=bearer(token))).status_code for token in tokens]
    all_ended = await remote.delete("/sessions", headers=first)
    left = [(await remote.get("/users/me", headers=bearer(token))).status_code for token in tokens]

    assert ended == [204, 404, 404, 404, 422]
    assert others == [200, 401, 200, 200]
    assert (all_ended.status_code, left) == (204, [401, 401, 401, 200])
    assert (await remote.get("/sessions", headers=of_bob)).json()["items"][0]["id"] == 4


async def test_one_session_too_many_ends_the_oldest(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    ada = await add_user(engine, "Ada")
    oldest, next_oldest = [await add_session(engine, ada) for _ in range(50)][:2]

    await remote.post("/sessions", json=SIGN_IN)

    statuses = [(await remote.get("/users/me", headers=bearer(one))).status_code for one in (oldest, next_oldest)]
    assert statuses == [401, 200]


async def test_sessions_that_have_ended_take_no_place_of_one_that_lives(
    remote: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    ada = await add_user(engine, "Ada")
    oldest = await add_session(engine, ada)
    for limits in [{"idle": "169 hours"}, {"left": "-1 s"}] * 25:
        await add_session(engine, ada, **limits)

    await remote.post("/sessions", json=SIGN_IN)

    assert (await remote.get("/users/me", headers=bearer(oldest))).status_code == 200


async def test_the_last_use_is_written_beside_the_requests(
    remote: httpx.AsyncClient, engine: AsyncEngine, closed_app: Litestar
) -> None:
    ada = await add_user(engine, "Ada")
    # The service may still have to write of sessions of other tests, whose ids come again.
    await rows(engine, "SELECT setval(pg_get_serial_sequence('sessions', 'id'), 1000)")
    rested, fresh = await add_session(engine, ada, idle="2 hours"), await add_session(engine, ada, idle="30 s")
    age = "SELECT now() - last_used_at < interval '20 s' FROM sessions ORDER BY id"

    for token in (rested, fresh):
        await remote.get("/users/me", headers=bearer(token))
    while (seen := await rows(engine, age)) != [(True,), (False,)]:
        assert seen == [(False,), (False,)]
        await asyncio.sleep(0.05)


async def test_the_last_use_is_written_by_one_of_several_workers(
    remote: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await add_session(engine, await add_user(engine, "Ada"), idle="2 hours")
    workers = LastUse(engine), LastUse(engine)
    for worker in workers:
        worker.note(1)

    seen = []
    for worker in workers:
        await worker.write()
        seen += await rows(engine, "SELECT last_used_at FROM sessions")

    assert seen[0] == seen[1]


async def test_the_last_use_is_written_however_many_there_are(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_session(engine, await add_user(engine, "Ada"), idle="2 hours")
    last_use = LastUse(engine)
    for session_id in range(1, 40_000):
        last_use.note(session_id)

    await last_use.write()

    assert await rows(engine, "SELECT now() - last_used_at < interval '20 s' FROM sessions") == [(True,)]


async def test_whoever_has_a_session_locked_holds_up_nobody(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    ada = await add_user(engine, "Ada")
    locked, free = [await add_session(engine, ada, idle="2 hours") for _ in range(2)]
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    async with engine.execution_options(isolation_level="READ COMMITTED").connect() as other:
        await other.execute(text("SELECT FROM sessions WHERE id = 1 FOR UPDATE"))
        answers = [await remote.get("/users/me", headers=bearer(token)) for token in (locked, free)]
        while await rows(engine, "SELECT id FROM sessions WHERE last_used_at > now() - interval '1 hour'") != [(2,)]:
            assert await rows(engine, waiting) == [(0,)]
            await asyncio.sleep(0.05)

    assert [answer.status_code for answer in answers] == [200, 200]


OLD = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1)
LONG = "a correct horse and a battery staple, and so on for more than seventy-two bytes"


def of_bcrypt(password: str) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()


@pytest.mark.parametrize(
    ("hashed", "password", "is_renewed"),
    [
        (OLD.hash(PASSWORD), PASSWORD, True),
        (of_bcrypt(PASSWORD), PASSWORD, True),
        (of_bcrypt(LONG), LONG, False),
        (None, PASSWORD, False),
    ],
    ids=["weaker", "bcrypt", "bcrypt of a part", "ours"],
)
async def test_a_hash_of_other_parameters_is_renewed_at_sign_in(
    remote: httpx.AsyncClient, engine: AsyncEngine, hashed: str | None, password: str, is_renewed: bool
) -> None:
    await add_user(engine, "Ada", hashed=hashed)
    [(before,)] = await rows(engine, "SELECT hashed_password FROM users")

    signed_in = await remote.post("/sessions", json={**SIGN_IN, "password": password})
    [(after,)] = await rows(engine, "SELECT hashed_password FROM users")
    again = await remote.post("/sessions", json={**SIGN_IN, "password": password})

    assert [signed_in.status_code, again.status_code] == [201, 201]
    assert (after != before) is is_renewed


async def test_two_who_renew_a_hash_at_once_are_both_in(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_user(engine, "Ada", hashed=of_bcrypt(PASSWORD))

    answers = await asyncio.gather(*(remote.post("/sessions", json=SIGN_IN) for _ in range(4)))

    assert [answer.status_code for answer in answers] == [201] * 4


async def test_no_repr_shows_a_token_or_a_password() -> None:
    from app.resources.passwords.schemas import NewPassword, PasswordChange, ResetToken
    from app.resources.sessions.repository import Account
    from app.resources.sessions.schemas import SignedIn, SignIn
    from app.resources.users.schemas import UserRead

    ada, secret, now = UserRead(1, "Ada", "ada@example.com"), "hush", datetime.now(UTC)

    shown = repr(
        [
            SignIn(ada.email, secret),
            SignedIn(1, secret, now, ada),
            Account(ada, secret, secret),
            PasswordChange(secret, secret),
            NewPassword(secret, secret),
            ResetToken(secret, now),
        ]
    )

    assert secret not in shown


def test_no_repr_shows_what_a_body_calls_secret() -> None:
    class Card(Body):
        secret = frozenset({"pin"})

        number: int
        pin: str

    assert repr(Card(7, "hush")) == "Card(number=7)"


@pytest.mark.parametrize("path", ["/users/me", "/sessions"])
async def test_some_need_a_token_whatever_access_is(client: httpx.AsyncClient, engine: AsyncEngine, path: str) -> None:
    token = await add_session(engine, await add_user(engine, "Ada"))

    refused, answered = await client.get(path), await client.get(path, headers=bearer(token))

    assert (problem_of(refused), answered.status_code) == (NO_TOKEN, 200)
    assert refused.headers["vary"] == answered.headers["vary"] == "authorization"


async def test_elsewhere_a_token_changes_nothing_where_none_is_needed(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await add_user(engine, "Ada")

    answer = await client.get("/users/1", headers=bearer("lus_nonsense"))

    assert (answer.status_code, "vary" in answer.headers) == (200, False)


async def test_nobody_is_turned_away_because_nobody_could_look(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    token = await add_session(engine, await add_user(engine, "Ada"))
    mistyped = token[:10] + ("a" if token[10] != "a" else "b") + token[11:]
    await execute(engine, "ALTER TABLE sessions RENAME TO hidden")
    try:
        answer = await remote.get("/users/me", headers=bearer(token))
        # For these nobody has to look.
        wrong = [await remote.get("/users/me", headers=bearer(bad)) for bad in (mistyped, token[:-2], token + "=")]
    finally:
        await execute(engine, "ALTER TABLE hidden RENAME TO sessions")

    assert answer.status_code == 503
    assert [problem_of(one) for one in wrong] == [INVALID] * 3


async def execute(engine: AsyncEngine, statement: str) -> None:
    async with engine.connect() as connection:
        await connection.execute(text(statement))


@pytest.mark.parametrize("blank", [b"\xa0", b"\x85"], ids=["no-break space", "next line"])
async def test_only_blanks_of_http_are_no_part_of_a_header(
    remote: httpx.AsyncClient, engine: AsyncEngine, blank: bytes
) -> None:
    authorization = bearer(await add_session(engine, await add_user(engine, "Ada")))
    tag = (await remote.get("/users/me", headers=authorization)).headers["etag"]
    given = authorization["Authorization"].encode()

    token = await remote.get("/users/me", headers={b"Authorization": given + blank})
    condition = await remote.get("/users/me", headers={b"Authorization": given, b"If-Match": tag.encode() + blank})

    assert problem_of(token) == INVALID
    assert problem_of(condition)["code"] == "malformed_request"
