"""Moving in: the commands of the page, each with a small file of the shape that its system writes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.credentials.foreign_hashes import kind, verify
from app.resources.users.model import User
from tests.commands import ROOT, Shell
from tests.test_foreign_files import FOLDER

PAGE = (ROOT / "docs" / "moving-in.md").read_text()
SYSTEMS: dict[str, Any] = json.loads((FOLDER / "moving_in.json").read_text())
"""The files that stand for those of a command, who is there afterwards, and who was refused."""


def commands(system: str, folder: Path = Path()) -> list[list[str]]:
    """What a section tells to do here, with its files in a folder."""
    section = PAGE.partition(f"\n## {system}\n")[2].partition("\n## ")[0].replace("\\\n", "")
    lines = re.findall(r"^litestar (users import .*)$", section, re.MULTILINE)
    is_file = re.compile(r"[\w/.-]+\.(?:csv|json|gz)").fullmatch
    return [[str(folder / word) if is_file(word) else word for word in shlex.split(line)] for line in lines]


def described(user: User) -> str:
    made_by = kind(user.hashed_password) or "none"
    # Those that were created now have no date in their file.
    created = "now" if user.created_at.year > 2025 else f"{user.created_at:%Y-%m-%d}"
    return f"{user.id} {user.name} <{user.email}> {made_by} {'active' if user.active else 'inactive'} {created}"


@pytest.mark.parametrize("system", SYSTEMS)
async def test_a_system_moves_in(shell: Shell, engine: AsyncEngine, tmp_path: Path, system: str) -> None:
    expected = SYSTEMS[system]
    for name, there in expected["files"].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((FOLDER / there).read_bytes())

    done = [await shell.run(*command) for command in commands(system, tmp_path)]

    refused = [line for result in done for line in result.stderr.splitlines()]
    refused += (tmp_path / "old.csv").read_text().splitlines()[1:] if (tmp_path / "old.csv").exists() else []
    async with engine.connect() as connection:
        people = [User(**row) for row in (await connection.execute(select(User).order_by(User.id))).mappings()]
    assert [described(user) for user in people] == expected["people"]
    assert refused == expected["refused"]
    assert all(verify(user.hashed_password, "correct horse battery") for user in people if kind(user.hashed_password))


def test_every_system_of_the_page_is_tried() -> None:
    assert list(SYSTEMS) == [name for name in re.findall(r"^## (.*)$", PAGE, re.MULTILINE) if commands(name)]
    assert all(f"\n| {name} | " in PAGE for name in SYSTEMS)
