"""Weak passwords: what is tried first is no password, whoever sets it."""

from __future__ import annotations

import runpy

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.engine import ROOT
from app.validation.weak_passwords import _COMMON
from tests.callers import PASSWORD, add_session, add_user, bearer
from tests.commands import Shell
from tests.problems import invalid, problem_of

COMMON = "is one of the most common passwords"
PERSONAL = "must be neither the name nor the address"
WEAK = [
    ("password", COMMON),
    ("1QAZ2wsx", COMMON),
    ("\uff30\uff41\uff53\uff53\uff57\uff4f\uff52\uff44", COMMON),
    ("Ada Lovelace", PERSONAL),
    ("ADA.LOVELACE", PERSONAL),
    (" \uff21da Lovelace ", PERSONAL),
    ("ada.lovelace@example.com", PERSONAL),
]
ADA = {"name": "Ada Lovelace", "email": "ada.lovelace@example.com"}


@pytest.mark.parametrize(("password", "told"), WEAK)
async def test_nobody_signs_up_with_one(client: httpx.AsyncClient, password: str, told: str) -> None:
    answer = await client.post("/users", json={**ADA, "password": password})

    assert problem_of(answer) == invalid({"detail": told, "pointer": "/password"})


@pytest.mark.parametrize(("password", "told"), WEAK)
async def test_nobody_changes_to_one(client: httpx.AsyncClient, engine: AsyncEngine, password: str, told: str) -> None:
    await add_user(engine, "Ada.Lovelace")
    await client.patch("/users/1", json={"name": ADA["name"]})
    mine = bearer(await add_session(engine, 1))
    token = (await client.post("/users/1/password-resets")).json()["token"]

    change = {"current_password": PASSWORD, "new_password": password}
    answers = [
        await client.put("/users/1/password", json=change, headers=mine),
        await client.put("/users/1/password", json={"new_password": password}),
        await client.post("/password-resets", json={"token": token, "new_password": password}),
    ]

    assert [problem_of(answer) for answer in answers] == [invalid({"detail": told, "pointer": "/new_password"})] * 3


@pytest.mark.parametrize(("password", "told"), WEAK)
async def test_no_command_takes_one(shell: Shell, password: str, told: str) -> None:
    who = ("--name", ADA["name"], "--email", ADA["email"], "--password-stdin")

    refused = await shell.run("users", "create", *who, stdin=password)
    await shell.run("users", "create", *who, stdin=PASSWORD)
    kept = await shell.run("users", "set-password", "1", "--password-stdin", stdin=password)

    for done in (refused, kept):
        assert (done.exit_code, told in done.stderr) == (1, True)


async def test_a_password_is_kept_just_as_it_is(client: httpx.AsyncClient) -> None:
    password = "  Fran\u00e7ais \u0041\u030a  "
    await client.post("/users", json={**ADA, "password": password})

    statuses = [
        (await client.post("/sessions", json={"email": ADA["email"], "password": given})).status_code
        for given in (password, password.strip(), password.replace("\u0041\u030a", "\u00c5"))
    ]

    assert statuses == [201, 401, 401]


def test_the_list_is_what_its_script_makes() -> None:
    made = runpy.run_path(str(ROOT / ".ci/passwords.py"))["common"]()

    assert len(_COMMON) == len(made) == 3_000
    assert set(made) == _COMMON
