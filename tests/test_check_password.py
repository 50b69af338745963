"""`litestar users check-password`: whether a password is somebody's, before the other hashes of a file are trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import Shell
from tests.test_imports import CSV

HASHES: dict[str, str] = json.loads((Path(__file__).parent / "files" / "hashes.json").read_text())
CHECK = ("users", "check-password", "ann@example.com", "--password-stdin")


@pytest.mark.parametrize(
    ("name", "made_by"),
    [("bcrypt 2y", "bcrypt"), ("wordpress $P$", "phpass"), ("django pbkdf2_sha256", "Django PBKDF2")],
)
async def test_a_password_is_told_from_others(shell: Shell, name: str, made_by: str) -> None:
    await shell.run(*CSV, stdin=f'name,email,hashed_password\nAnn,Ann@example.com,"{HASHES[name]}"\n')

    right = await shell.run(*CHECK, stdin="correct horse battery\n")
    wrong = await shell.run(*CHECK, stdin="correct horse\n")

    assert (right.exit_code, right.output) == (0, f"That is the password (the hash is of {made_by}).\n")
    assert (wrong.exit_code, wrong.output) == (1, f"Error: That is not the password (the hash is of {made_by})\n")


async def test_nobody_and_nobodys_password_are_told(shell: Shell) -> None:
    nobody = await shell.run(*CHECK, stdin="correct horse\n")
    await shell.run(*CSV, "--without-passwords", stdin="name,email\nAnn,ann@example.com\n")

    without = await shell.run(*CHECK, stdin="!\n")

    assert (nobody.exit_code, without.exit_code) == (1, 1)
    assert "not found" in nobody.stderr.lower()
    assert without.stderr == "Error: There is no password that could be checked: nobody can sign in until one is set\n"
