"""Accounts: administrators, of whom the last one stays, and accounts that may not sign in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.callers import add_session, add_user
from tests.commands import Shell
from tests.people import add_people
from tests.problems import problem, problem_of
from tests.test_sign_in_races import WAITING

LAST = problem(409, "last_administrator", "Somebody must stay who is an administrator and active")
GONE = problem(404, "not_found", "User not found")


@pytest.fixture
async def people(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    """Ada and Bob, of whom nobody is an administrator."""
    await add_people(engine, ("Ada", "ada@example.com"), ("Bob", "bob@example.com"))


async def promote(client: httpx.AsyncClient, *ids: int) -> None:
    for user_id in ids:
        await client.patch(f"/users/{user_id}/account", json={"is_admin": True})


@pytest.mark.usefixtures("people")
async def test_an_account_is_read_and_changed_by_its_version(client: httpx.AsyncClient) -> None:
    read = await client.get("/users/1/account")

    changed = await client.patch(
        "/users/1/account", json={"is_admin": True}, headers={"If-Match": read.headers["etag"]}
    )
    stale = await client.patch("/users/1/account", json={"is_admin": False}, headers={"If-Match": read.headers["etag"]})
    same = await client.get("/users/1/account", headers={"If-None-Match": changed.headers["etag"]})

    assert (read.status_code, read.json()) == (200, {"is_admin": False, "active": True})
    assert (changed.status_code, changed.json()) == (200, {"is_admin": True, "active": True})
    assert changed.headers["etag"] != read.headers["etag"]
    assert [stale.status_code, same.status_code] == [412, 304]


@pytest.mark.usefixtures("people")
async def test_a_user_looks_as_before(client: httpx.AsyncClient) -> None:
    await promote(client, 1)

    assert (await client.get("/users/1")).json() == {"id": 1, "name": "Ada", "email": "ada@example.com"}


@pytest.mark.usefixtures("people")
async def test_nobody_becomes_an_administrator_by_a_body_of_a_user(client: httpx.AsyncClient) -> None:
    new = {"name": "Eve", "email": "eve@example.com", "password": "correct horse", "is_admin": True}

    answers = [await client.post("/users", json=new), await client.patch("/users/1", json={"active": False})]

    assert [answer.status_code for answer in answers] == [422, 422]


async def test_an_account_that_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    read = await client.get("/users/7/account")
    changed = await client.patch("/users/7/account", json={"active": False})

    assert [problem_of(read), problem_of(changed)] == [GONE, GONE]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("changes", [{"is_admin": False}, {"active": False}, {"is_admin": False, "active": False}])
async def test_the_last_administrator_stays(client: httpx.AsyncClient, changes: dict[str, Any]) -> None:
    await promote(client, 1)

    refused = [await client.patch("/users/1/account", json=changes), await client.delete("/users/1")]

    assert [problem_of(answer) for answer in refused] == [LAST, LAST]
    assert (await client.get("/users/1/account")).json() == {"is_admin": True, "active": True}


@pytest.mark.usefixtures("people")
async def test_an_administrator_goes_while_another_stays(client: httpx.AsyncClient) -> None:
    await promote(client, 1, 2)

    demoted = await client.patch("/users/1/account", json={"is_admin": False})
    deleted = await client.delete("/users/2")

    assert (demoted.status_code, problem_of(deleted)) == (200, LAST)


@pytest.mark.usefixtures("people")
async def test_a_deactivated_administrator_counts_for_nothing(client: httpx.AsyncClient) -> None:
    await promote(client, 1, 2)
    await client.patch("/users/2/account", json={"active": False})

    refused = await client.delete("/users/1")
    gone = await client.delete("/users/2")

    assert (problem_of(refused), gone.status_code) == (LAST, 204)


async def test_there_is_an_administrator_after_every_race(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    count = text("SELECT count(*) FROM users WHERE is_admin AND active")
    left: int | None = None
    for n in range(15):
        await add_people(engine, ("Ada", f"ada{n}@example.com"), ("Bob", f"bob{n}@example.com"))
        ids = [2 * n + 1, 2 * n + 2]
        await promote(client, *ids)
        if left is not None:
            await client.patch(f"/users/{left}/account", json={"is_admin": False})

        answers = await asyncio.gather(
            client.patch(f"/users/{ids[0]}/account", json={"active": False}), client.delete(f"/users/{ids[1]}")
        )

        assert sorted(answer.status_code for answer in answers) in ([200, 409], [204, 409])
        async with engine.connect() as connection:
            assert await connection.scalar(count) == 1
            left = await connection.scalar(text("SELECT id FROM users WHERE is_admin AND active"))


CREATE = ("users", "create", "--name", "Ada", "--email", "ada@example.com", "--password-stdin")


async def test_the_first_administrator_comes_by_a_command(shell: Shell, client: httpx.AsyncClient) -> None:
    created = await shell.run(*CREATE, "--admin", stdin="correct horse")

    assert created.stdout == "Created user 1.\n"
    assert (await client.get("/users/1/account")).json() == {"is_admin": True, "active": True}


@pytest.mark.usefixtures("people")
async def test_commands_change_accounts_and_keep_the_last_administrator(shell: Shell) -> None:
    done = [
        await shell.run("users", "set-account", "ada@example.com", "--admin"),
        await shell.run("users", "set-account", "1", "--inactive"),
        await shell.run("users", "delete", "1", "--yes"),
        await shell.run("users", "set-account", "2", "--inactive"),
        await shell.run("users", "set-account", "2"),
    ]
    listed = await shell.run("users", "list")

    assert [(one.exit_code, one.stdout) for one in done] == [
        (0, "Changed the account of user 1.\n"),
        (1, ""),
        (1, ""),
        (0, "Changed the account of user 2.\n"),
        (2, ""),
    ]
    assert done[1].stderr == done[2].stderr == f"Error: {LAST['detail']}\n"
    assert listed.stdout.splitlines() == [
        "ID  NAME  EMAIL            ADMIN  ACTIVE",
        "1   Ada   ada@example.com  yes    yes",
        "2   Bob   bob@example.com  no     no",
    ]


UPDATE = ("users", "import", "-", "--format", "csv", "--on-conflict", "update")
INACTIVE = "id,name,email,active\n1,Ada,ada@example.com,false\n2,Bob,bob@example.com,false\n"


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("options", [(), ("--keep-ids",)])
async def test_an_import_keeps_the_last_administrator(
    shell: Shell, client: httpx.AsyncClient, options: tuple[str, ...]
) -> None:
    await promote(client, 1, 2)

    refused = await shell.run(*UPDATE, *options, stdin=INACTIVE)
    kept = [(await client.get(f"/users/{user_id}/account")).json()["active"] for user_id in (1, 2)]
    await promote(client, await add_third(client))
    done = await shell.run(*UPDATE, *options, stdin=INACTIVE)

    told = f"Error: Nothing was imported: line 3: {LAST['detail']}\n"
    assert (refused.exit_code, refused.stderr, kept) == (2, told, [True, True])
    assert (done.exit_code, done.stdout.splitlines()[0].split(", ")[2]) == (0, "2 updated")


async def add_third(client: httpx.AsyncClient) -> int:
    new = {"name": "Cleo", "email": "cleo@example.com", "password": "correct horse"}
    return int((await client.post("/users", json=new)).json()["id"])


@pytest.mark.usefixtures("people")
async def test_there_is_an_administrator_after_a_race_with_an_import(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await promote(client, 1, 2)
    held = engine.execution_options(isolation_level="READ COMMITTED")

    async with held.connect() as other, engine.connect() as look:
        await other.execute(text("SELECT FROM users WHERE id = 2 FOR UPDATE"))
        importing = asyncio.create_task(shell.run(*UPDATE, stdin=INACTIVE[: INACTIVE.index("2,")]))
        while not (importing.done() or await look.scalar(WAITING)):
            await asyncio.sleep(0.02)
        await other.execute(text("UPDATE users SET active = false WHERE id = 2"))
        await other.commit()
        refused = await importing

    assert (refused.exit_code, LAST["detail"] in refused.stderr) == (2, True)


@pytest.mark.parametrize("second", ["a request", "an import"])
async def test_who_changes_administrators_waits_for_each_other_in_one_order(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine, second: str
) -> None:
    """The second one no longer sees administrators in Ada and Bob, whom the first one has locked and waits for."""
    await add_people(engine, *((name, f"{name}@example.com") for name in ("Ada", "Bob", "Cay")))
    await promote(client, 1, 2, 3)
    held = engine.execution_options(isolation_level="READ COMMITTED")
    demote, lock = "UPDATE users SET is_admin = false WHERE id = {}", "SELECT FROM users WHERE id = {} FOR UPDATE"
    asked: list[asyncio.Task[Any]] = []

    async with held.connect() as ada, held.connect() as bob, engine.connect() as look:

        async def wait(asking: Coroutine[Any, Any, Any]) -> None:
            asked.append(asyncio.create_task(asking))
            while await look.scalar(WAITING) != len(asked):
                await asyncio.sleep(0.01)

        def promoting(user_id: int) -> Coroutine[Any, Any, Any]:
            return client.patch(f"/users/{user_id}/account", json={"is_admin": True})

        await ada.execute(text(demote.format(1)))
        await wait(promoting(3))
        await look.execute(text(demote.format(2)))
        await bob.execute(text(lock.format(2)))
        await ada.commit()
        await wait(
            promoting(1) if second == "a request" else shell.run(*UPDATE, stdin=INACTIVE[: INACTIVE.index("2,")])
        )
        await bob.commit()
        answers = await asyncio.gather(*asked)

    if second == "a request":
        assert [answer.status_code for answer in answers] == [200, 200]
    else:
        assert (answers[0].status_code, answers[1].exit_code, answers[1].stderr) == (200, 0, "")


async def test_a_command_lists_and_ends_sessions(shell: Shell, engine: AsyncEngine) -> None:
    ada = await add_user(engine, "Ada")
    for _ in range(3):
        await add_session(engine, ada)

    listed = await shell.run("users", "sessions", "ada@example.com")
    one_ended = await shell.run("users", "sessions", "1", "--end", "2")
    again = await shell.run("users", "sessions", "1", "--end", "2")
    all_ended = await shell.run("users", "sessions", "1", "--end-all")

    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["ID", "3", "2", "1"]
    assert [line.split()[0] for line in one_ended.stdout.splitlines()] == ["ID", "3", "1"]
    assert (again.exit_code, again.stderr) == (1, "Error: Session not found\n")
    assert all_ended.stdout.split() == ["ID", "CREATED", "LAST", "USED", "EXPIRES", "USER", "AGENT"]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("number", ["7", str(2**63), "9" * 5_000])
async def test_a_number_that_nobody_has_is_not_found(shell: Shell, number: str) -> None:
    told = [
        await shell.run("users", *command)
        for command in (
            ("set-account", number, "--admin"),
            ("delete", number, "--yes"),
            ("sessions", number, "--end-all"),
        )
    ]

    assert {(one.exit_code, one.stderr) for one in told} == {(1, "Error: User not found\n")}


@pytest.mark.usefixtures("people")
async def test_a_session_beyond_all_numbers_is_refused_plainly(shell: Shell) -> None:
    refused = await shell.run("users", "sessions", "1", "--end", str(2**63))

    assert (refused.exit_code, "9223372036854775808 is not in the range" in refused.stderr) == (2, True)


async def test_a_password_that_a_command_sets_ends_all_sessions(shell: Shell, engine: AsyncEngine) -> None:
    await add_session(engine, await add_user(engine, "Ada"))

    await shell.run("users", "set-password", "1", "--password-stdin", stdin="battery staple")

    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM sessions")) == 0
