"""What a terminal shows: tables that fit into it, and the summary of an import under all else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.cli.output import print_table
from app.settings.database_url import DatabaseUrl
from tests.commands import Shell
from tests.terminals import on_terminal
from tests.test_imports import BCRYPT, CSV, HEADER, rows

TABLE = [(1, "Ada", "ada@example.com"), (2, "山本" * 20, "a" * 60 + "@example.com")]


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_table_is_cut_to_the_width_of_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))

    print_table(("ID", "NAME", "EMAIL"), TABLE)

    shown = capsys.readouterr().out.splitlines()
    assert all(sum(1 + (character > "\u2fff") for character in line) <= columns for line in shown)
    assert (shown[1].startswith("1   Ada "), shown[2].count("…")) == (True, 2)


def test_a_pipe_gets_a_table_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "NAME", "EMAIL"), TABLE)

    assert capsys.readouterr().out.splitlines()[2].split() == ["2", "山本" * 20, "a" * 60 + "@example.com"]


async def test_storing_is_told_in_a_pipe(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.progress.BATCH", 3)

    done = await shell.run(*CSV, stdin=rows(3))

    assert done.stderr.splitlines()[-1] == "3 records, storing them"


async def test_on_a_terminal_the_summary_comes_last(database: DatabaseUrl, tmp_path: Path) -> None:
    """Takes as long as a process, as only one has a terminal of its own."""
    file = tmp_path / "users.csv"
    file.write_text(f"{HEADER}Ann,ann@example.com,{BCRYPT}\nBob,nobody,{BCRYPT}\n")

    status, shown = await on_terminal("litestar", "users", "import", str(file), url=database)

    assert status == 1
    lines = re.sub(r"\x1b\[[?\d]*[a-zA-Z]", "", shown).splitlines()
    assert lines[-2:] == [
        "line 3: email: not a valid email address",
        "2 read, 1 inserted, 0 updated, 0 skipped, 1 rejected",
    ]
    assert "2 records, storing them" in shown
