"""Passwords: changed by who knows them, set by administrators, reset by a token; sessions end with them."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.callers import PASSWORD, add_session, add_user, bearer
from tests.problems import invalid, problem, problem_of

NEW = "battery staple"
INVALID_TOKEN = invalid({"detail": "is used up, expired or none at all", "pointer": "/token"}, code="invalid_token")


async def fits(client: httpx.AsyncClient, password: str, email: str = "ada@example.com") -> bool:
    """Whether a password lets sign in."""
    return (await client.post("/sessions", json={"email": email, "password": password})).status_code == 201


async def test_whoever_changes_a_password_keeps_this_session_only(
    remote: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    ada = await add_user(engine, "Ada")
    mine, other = [bearer(await add_session(engine, ada)) for _ in range(2)]

    changed = await remote.put(
        f"/users/{ada}/password", json={"current_password": PASSWORD, "new_password": NEW}, headers=mine
    )

    assert (changed.status_code, changed.content) == (204, b"")
    assert [(await remote.get("/users/me", headers=one)).status_code for one in (mine, other)] == [200, 401]
    assert [await fits(remote, PASSWORD), await fits(remote, NEW)] == [False, True]


@pytest.mark.parametrize(
    ("given", "told"),
    [({}, "required"), ({"current_password": "another horse"}, "is not the password of this account")],
)
async def test_the_current_password_must_be_known(
    remote: httpx.AsyncClient, engine: AsyncEngine, given: dict[str, str], told: str
) -> None:
    ada = await add_user(engine, "Ada", is_admin=True)
    mine = bearer(await add_session(engine, ada))

    refused = await remote.put(f"/users/{ada}/password", json={**given, "new_password": NEW}, headers=mine)

    assert problem_of(refused) == invalid({"detail": told, "pointer": "/current_password"})
    assert await fits(remote, PASSWORD)


async def test_an_administrator_sets_anothers_password(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    ada, root = await add_user(engine, "Ada"), await add_user(engine, "Root", is_admin=True)
    of_ada, of_root = [bearer(await add_session(engine, user)) for user in (ada, root)]

    changed = await remote.put(f"/users/{ada}/password", json={"new_password": NEW}, headers=of_root)
    nobody = await remote.put("/users/77/password", json={"new_password": NEW}, headers=of_root)
    beyond = await remote.put(f"/users/{2**63}/password", json={"new_password": NEW}, headers=of_root)

    assert [one.status_code for one in (changed, nobody, beyond)] == [204, 404, 404]
    assert [(await remote.get("/users/me", headers=one)).status_code for one in (of_ada, of_root)] == [401, 200]
    assert await fits(remote, NEW)


async def test_on_this_machine_a_password_is_set_without_a_token(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    ada = await add_user(engine, "Ada")

    changed = await client.put(f"/users/{ada}/password", json={"new_password": NEW})

    assert (changed.status_code, await fits(client, NEW)) == (204, True)


async def reset_of(client: httpx.AsyncClient, engine: AsyncEngine, user_id: int) -> str:
    root = bearer(await add_session(engine, await add_user(engine, "Root", is_admin=True)))
    begun = await client.post(f"/users/{user_id}/password-resets", headers=root)
    assert (begun.status_code, set(begun.json())) == (201, {"token", "expires_at"})
    assert begun.headers["cache-control"] == "no-store"
    token: str = begun.json()["token"]
    return token


async def test_a_reset_lets_choose_a_password_once(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    ada = await add_user(engine, "Ada")
    mine = bearer(await add_session(engine, ada))
    body = {"token": await reset_of(remote, engine, ada), "new_password": NEW}

    done, again = [await remote.post("/password-resets", json=body) for _ in range(2)]

    assert (done.status_code, problem_of(again)) == (204, INVALID_TOKEN)
    assert (await remote.get("/users/me", headers=mine)).status_code == 401
    assert await fits(remote, NEW)


async def test_of_two_who_use_a_reset_at_once_one_does(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    token = await reset_of(remote, engine, await add_user(engine, "Ada"))

    answers = await asyncio.gather(
        *(remote.post("/password-resets", json={"token": token, "new_password": f"{NEW} {n}"}) for n in range(4))
    )

    assert sorted(answer.status_code for answer in answers) == [204, 422, 422, 422]


async def test_used_expired_and_invented_resets_are_alike(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    ada = await add_user(engine, "Ada")
    expired = await reset_of(remote, engine, ada)
    async with engine.connect() as connection:
        await connection.execute(text("UPDATE password_resets SET expires_at = now() - interval '1 s'"))
    session = await add_session(engine, ada)

    answers = [
        await remote.post("/password-resets", json={"token": token, "new_password": NEW})
        for token in (expired, "lus_invented", session, "")
    ]

    assert [problem_of(answer) for answer in answers] == [INVALID_TOKEN] * 4


async def test_a_changed_password_ends_what_would_reset_it(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    ada = await add_user(engine, "Ada")
    token = await reset_of(remote, engine, ada)
    mine = bearer(await add_session(engine, ada))
    await remote.put(f"/users/{ada}/password", json={"current_password": PASSWORD, "new_password": NEW}, headers=mine)

    late = await remote.post("/password-resets", json={"token": token, "new_password": "another horse"})

    assert problem_of(late) == INVALID_TOKEN


async def test_a_reset_of_nobody_is_not_begun(client: httpx.AsyncClient) -> None:
    answers = [await client.post(f"/users/{user_id}/password-resets") for user_id in (7, 2**63)]

    assert [problem_of(answer) for answer in answers] == [problem(404, "not_found", "User not found")] * 2
