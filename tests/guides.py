"""Guides: what a page of docs/ says, done word for word in a copy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from alembic.script import ScriptDirectory

from app.database import embedded
from app.database.engine import ROOT
from app.settings import load_settings

_BLOCK = re.compile(r"^`(?P<path>[\w./-]+)`\n\n```(?P<kind>python|diff)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_REVISES = re.compile(r'(?<=^down_revision = ").*(?="$)|(?<=^Revises: ).*$', re.MULTILINE)


def copy_to(folder: Path) -> Path:
    """The project as it is, to be changed."""
    copy = folder / "copy"
    ignored = shutil.ignore_patterns(
        ".git", ".postgres", ".env", "__pycache__", ".*_cache", ".hypothesis", "node_modules"
    )

    def ignore(folder: str, names: list[str]) -> set[str]:
        return ignored(folder, names) | {name for name in names if Path(folder, name, "pyvenv.cfg").exists()}

    shutil.copytree(ROOT, copy, ignore=ignore)
    return copy


def follow(guide: str, copy: Path) -> list[str]:
    """Do what the guide says; returns which files are new."""
    new = []
    for path, kind, text in _BLOCK.findall(guide):
        file = copy / path
        if kind == "diff":
            file.write_text(edit(file.read_text(), text))
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(_REVISES.sub(newest(copy), text))
            new.append(path)
    return new


def newest(copy: Path) -> str:
    """What a new migration revises."""
    return str(ScriptDirectory(str(copy / "alembic")).get_current_head())


def edit(text: str, difference: str) -> str:
    """Apply a diff of lines that are there once; a `+` line comes after the line before it, or in its place."""
    place = 0
    for line in difference.splitlines(keepends=True):
        sign, line = line[0], line[1:]
        if sign != "+":
            assert text.count(f"\n{line}") == 1, line
            place = text.index(f"\n{line}") + 1
        text = text[:place] + ("" if sign == "-" else line) + text[place + (0 if sign == "+" else len(line)) :]
        place += 0 if sign == "-" else len(line)
    return text


def check(copy: Path, *command: str, seconds: float = 100) -> None:
    """Run a command in the copy, on the server of this run. Raises: AssertionError, where it fails."""
    programs = Path(sys.executable).parent
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [programs / command[0], *command[1:]],
        cwd=copy,
        env={**os.environ, "PATH": path, "TEST_DATABASE_URL": _server(), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-1000:]}"


def _server() -> str:
    """The server of this run, so that the copy needs none of its own."""
    settings = load_settings()
    if settings.test_database_url is not None:
        return os.environ["TEST_DATABASE_URL"]
    return f"postgresql+asyncpg://postgres@/postgres?host={embedded.start(Path(settings.embedded_data_dir))}"
