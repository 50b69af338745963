"""The `.env` file: the working directory's own, taken as it stands, by whatever command."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import litestar
import pytest

from tests.commands import ROOT

COMMANDS = [
    [sys.executable, "-m", "litestar", "--app=app:create_app", "database", "show-current-revision"],
    [sys.executable, "-m", "alembic", "current"],
]

# What python-dotenv does when `litestar` calls it.
DOTENV = """
import os, sys
from pathlib import Path

def load_dotenv():
    for folder in Path(sys._getframe(1).f_code.co_filename).parents:
        if (folder / ".env").is_file():
            for name, value in dotenv_values(folder / ".env").items():
                os.environ.setdefault(name, value)
            return

def dotenv_values(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines())
"""
SHOW = """
import os, dotenv, litestar.cli._utils
from app.environment import forget_dotenv
forget_dotenv()
raise SystemExit(os.environ["MINE"])
"""


def run(command: list[str], folder: Path, **more: str) -> str:
    given = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DB_POOL_SIZE")}
    environment = {**given, "PYTHONPATH": str(folder), **more}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The service with its packages, in a folder inside another."""
    folder = tmp_path / "checkout"
    for part in ("app", "alembic"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.mark.parametrize("command", COMMANDS, ids=["litestar", "alembic"])
def test_a_file_of_the_working_directory_is_read_as_it_stands(checkout: Path, port: int, command: list[str]) -> None:
    (checkout / ".env").write_text(f"DATABASE_URL=postgresql://ann@127.0.0.1:{port}/${{HOME}}x\n")

    said = run(command, checkout)

    assert f"the database ${{HOME}}x on 127.0.0.1:{port}" in " ".join(said.split())


def test_no_parents_file_is_read_even_where_the_framework_can(checkout: Path, port: int) -> None:
    """As in a checkout whose packages lie in `.venv`, with python-dotenv among them."""
    (checkout.parent / ".env").write_text("DB_POOL_SIZE=theirs\n")
    (checkout / "dotenv.py").write_text(DOTENV)
    (checkout / "litestar").symlink_to(Path(litestar.__file__).parent)

    said = run(COMMANDS[0], checkout, DATABASE_URL=f"postgresql://ann@127.0.0.1:{port}/mine")

    assert f"the database mine on 127.0.0.1:{port}" in " ".join(said.split())


def test_what_the_environment_says_as_well_stays(checkout: Path, port: int) -> None:
    url = f"postgresql://ann@127.0.0.1:{port}/mine"
    (checkout.parent / ".env").write_text(f"MINE={url}\n")
    (checkout / "dotenv.py").write_text(DOTENV)
    (checkout / "litestar").symlink_to(Path(litestar.__file__).parent)

    said = run([sys.executable, "-c", SHOW], checkout, MINE=url)

    assert said.strip() == url
