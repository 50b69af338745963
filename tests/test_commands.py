"""Commands for people: users by hand, with plain words and exit statuses."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import time

import httpx
import pytest
from anyio import to_thread
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.command import CommandRunner
from app.cli.output import print_table
from app.credentials.passwords import Passwords
from app.database.engine import configure_database
from app.resources.users.model import User
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.commands import Shell
from tests.people import add_people
from tests.test_counts import ADD, run

SECRET = "correct horse"
CREATE = ("users", "create", "--name", "Ada", "--email", "ada@example.com", "--password-stdin")


async def fits(engine: AsyncEngine, password: str) -> bool:
    """Whether a password is the only user's."""
    async with engine.connect() as connection:
        hashed = await connection.scalar(select(User.hashed_password))
    passwords = Passwords()
    try:
        return await passwords.verify(password, hashed or "")
    finally:
        passwords.close()


async def test_a_user_is_created(shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    created = await shell.run(*CREATE, stdin=f"{SECRET}\n")

    assert (created.exit_code, created.stdout) == (0, "Created user 1.\n")
    assert (await client.get("/users/1")).json() == {"id": 1, "name": "Ada", "email": "ada@example.com"}
    assert await fits(engine, SECRET)


async def test_a_script_gets_json(shell: Shell) -> None:
    created = await shell.run(*CREATE, "--json", stdin=SECRET)
    listed = await shell.run("users", "list", "--json")

    ada = {"id": 1, "name": "Ada", "email": "ada@example.com"}
    assert json.loads(created.stdout) == ada
    listing = {**ada, "is_admin": False, "active": True}
    assert json.loads(listed.stdout) == {"items": [listing], "total": 1, "page": 1, "size": 20, "pages": 1}


async def test_people_get_a_table_that_their_terminal_survives(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    # Stored before such names were refused.
    await add_people(engine, ("Ada", "u3@example.com"), ("\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}", "u5@example.com"))

    listed = await shell.run("users", "list", "--sort", "-id")

    assert listed.stdout.splitlines() == [
        "ID  NAME   EMAIL           ADMIN  ACTIVE",
        "2   \ufffd[2J\ufffd  u5@example.com  no     yes",
        "1   Ada    u3@example.com  no     yes",
    ]
    assert listed.stderr == "2 of 2 users, page 1 of 1\n"


@pytest.mark.parametrize(("encoding", "shown"), [("latin-1", "Zoë ??"), ("utf-8", "Zoë 漢字")])
def test_a_terminal_without_the_letters_gets_question_marks(
    monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)

    print_table(["NAME"], [["Zoë 漢字"]])

    terminal.seek(0)
    assert terminal.read().splitlines() == ["NAME", shown]


@pytest.mark.parametrize("who", ["1", "ADA@example.com"])
async def test_a_password_is_changed(shell: Shell, engine: AsyncEngine, who: str) -> None:
    await shell.run(*CREATE, stdin=SECRET)

    changed = await shell.run("users", "set-password", who, "--password-stdin", stdin="battery staple\n")

    assert (changed.exit_code, changed.stdout) == (0, "Changed the password of user 1.\n")
    assert await fits(engine, "battery staple")


async def test_a_user_is_deleted_once(shell: Shell) -> None:
    await shell.run(*CREATE, stdin=SECRET)

    deleted = [await shell.run("users", "delete", "ada@example.com", "--yes") for _ in range(2)]

    assert [(done.exit_code, done.stdout, done.stderr) for done in deleted] == [
        (0, "Deleted user 1.\n", ""),
        (1, "", "Error: User not found\n"),
    ]


@pytest.mark.parametrize(
    ("arguments", "given", "status", "told"),
    [
        (CREATE, "short", 1, "Error: password: at least 8 characters"),
        (CREATE[:-1], "", 2, "--password-stdin is needed where nobody can be asked"),
        (("users", "create", *CREATE[4:]), f"{SECRET}\n" * 3, 2, "--name is needed where nobody can be asked"),
        (("users", "create"), SECRET, 2, "--name, --email, --password-stdin are needed where nobody can be asked"),
        (("users", "create", "--name", " ", "--email", "nobody", "--password-stdin"), "x", 1, "email: not a valid"),
        (("users", "list", "--sort", "age"), "", 1, "must be keys of id, name, email, created_at"),
        (("users", "list", "--size", "101"), "", 2, "--size"),
        (("users", "delete", "1"), "", 2, "--yes is needed where nobody can be asked"),
        (("users", "set-password", "7", "--password-stdin"), SECRET, 1, "Error: User not found"),
    ],
)
async def test_a_mistake_is_told_plainly(
    shell: Shell, arguments: tuple[str, ...], given: str, status: int, told: str
) -> None:
    done = await shell.run(*arguments, stdin=given)

    assert done.exit_code == status
    assert told in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_taken_address_is_told(shell: Shell) -> None:
    await shell.run(*CREATE, stdin=SECRET)

    again = await shell.run(*CREATE, stdin=SECRET)

    assert (again.exit_code, again.stderr) == (1, "Error: Email already registered\n")


async def test_missing_tables_are_told(shell: Shell, engine: AsyncEngine) -> None:
    await run(engine, "ALTER TABLE users RENAME TO hidden")
    try:
        done = await shell.run("users", "list")
    finally:
        await run(engine, "ALTER TABLE hidden RENAME TO users")

    assert (done.exit_code, "litestar database upgrade" in done.stderr) == (1, True)


async def test_a_terminal_asks_for_the_password_twice_without_an_echo(shell: Shell, engine: AsyncEngine) -> None:
    ours, theirs = pty.openpty()
    process = shell.start(*CREATE[:-1], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)

    seen = await to_thread.run_sync(_answer, ours, [b"Password: ", b"Repeat for confirmation: "])

    assert await to_thread.run_sync(process.wait) == 0, seen
    os.close(ours)
    assert SECRET.encode() not in seen
    assert await fits(engine, SECRET)


def _answer(terminal: int, prompts: list[bytes]) -> bytes:
    """Type the password at each prompt; returns all that was shown."""
    seen = b""
    for prompt in prompts:
        while prompt not in seen.rpartition(b"\n")[2]:
            seen += os.read(terminal, 1024)
        # The prompt is written just before the echo is turned off.
        time.sleep(0.1)
        os.write(terminal, SECRET.encode() + b"\n")
    try:
        while more := os.read(terminal, 1024):
            seen += more
    except OSError:
        pass  # Linux's way to say that the other end is closed.
    return seen


async def test_a_pipe_that_is_closed_early_leaves_no_trace(shell: Shell, engine: AsyncEngine) -> None:
    await run(engine, f"{ADD} FROM generate_series(1, 20000) i")
    process = shell.start("users", "export", "--format", "csv", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None

    first = await to_thread.run_sync(process.stdout.readline)
    process.stdout.close()
    _, told = await to_thread.run_sync(process.communicate)

    assert first == b"id,name,email,created_at,active\n"
    assert b"Traceback" not in told
    assert b"BrokenPipe" not in told


@pytest.mark.usefixtures("anyio_backend")
def test_a_defect_is_not_told_plainly(database: DatabaseUrl) -> None:
    async def fail(_engine: AsyncEngine) -> None:
        raise AttributeError("fetch")

    with pytest.raises(AttributeError) as caught:
        CommandRunner(configure_database(Settings(database_url=database))).run(fail)

    assert caught.value.__cause__ is None
