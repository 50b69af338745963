"""Imports and exports: every good record arrives once, every bad one is named."""

from __future__ import annotations

import codecs
import csv
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
from anyio import sleep, to_thread
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.credentials.passwords import Passwords
from app.resources.users.model import User
from tests.commands import Shell
from tests.people import add_people
from tests.test_counts import run

HEADER = "name,email,hashed_password\n"
CSV = ("users", "import", "-", "--format", "csv")
ANEW = "note: ids are given anew, those in the file (1) are not kept\n"
BCRYPT = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
ARGON2 = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse")


def rows(count: int) -> str:
    return HEADER + "".join(f"N{n},n{n}@example.com,{BCRYPT}\n" for n in range(count))


async def emails(client: httpx.AsyncClient) -> list[str]:
    page = (await client.get("/users", params={"size": 100, "sort": "id"})).json()
    return [item["email"] for item in page["items"]]


async def stored(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    columns = (User.id, User.name, User.email, User.hashed_password, User.created_at)
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns).order_by(User.id))]


async def summary(shell: Shell, *arguments: str, stdin: str | bytes) -> tuple[int, dict[str, int]]:
    done = await shell.run(*arguments, "--json", stdin=stdin)
    return done.exit_code, {name: count for name, count in json.loads(done.stdout).items() if count}


async def test_thousands_of_records_come_in(shell: Shell, client: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text(rows(25_000))

    done = await shell.run("users", "import", str(tmp_path / "users.csv"))

    assert (done.exit_code, done.stdout) == (
        0,
        "25,000 read, 25,000 inserted, 0 updated, 0 skipped, 0 rejected\n",
    )
    assert (await client.get("/users")).json()["total"] == 25_000


@pytest.mark.parametrize("style", ["csv", "jsonl"])
async def test_what_was_exported_can_be_imported(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine, tmp_path: Path, style: str
) -> None:
    await add_people(engine, ('=Ann "A"; of, Å', "ann@example.com"))
    await run(engine, f"UPDATE users SET hashed_password = '{ARGON2}'")
    before = await stored(engine)
    file = str(tmp_path / f"users.{style}")
    await shell.run("users", "export", file, "--with-hashes")
    await client.delete("/users/1")

    done = await shell.run("users", "import", file)

    assert (done.exit_code, done.stderr) == (0, "")
    assert await stored(engine) == [(2, *before[0][1:])]
    assert done.stdout.splitlines()[1:] == [ANEW.strip()]


async def test_a_spreadsheet_gets_no_formulas_and_they_come_back(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine, tmp_path: Path
) -> None:
    names = ["=1+1", "+1", "-1", "@x", "'=1", "'x", "\N{FULLWIDTH EQUALS SIGN}1", "Åsa, A", "=HYPERLINK()"]
    await add_people(engine, *((name, f"+n{n}@example.com") for n, name in enumerate(names)))
    await run(engine, f"UPDATE users SET hashed_password = '{BCRYPT}'")
    file = tmp_path / "users.csv"
    exported = await shell.run("users", "export", str(file), "--for-spreadsheet", "--with-hashes")
    await run(engine, "DELETE FROM users")

    done = await shell.run("users", "import", str(file), "--for-spreadsheet")

    lines = file.read_bytes().split(b"\r\n")
    assert (exported.exit_code, done.exit_code) == (0, 0)
    assert lines[0] == codecs.BOM_UTF8 + b"id,name,email,created_at,active,hashed_password"
    assert [line.split(b",")[1] for line in lines[1:7]] == [b"'=1+1", b"'+1", b"'-1", b"'@x", b"''=1", b"'x"]
    assert lines[1].split(b",")[2] == b"'+n0@example.com"
    people = [row[1:4] for row in await stored(engine)]
    assert people == [(name, f"+n{n}@example.com", BCRYPT) for n, name in enumerate(names)]


async def test_only_a_csv_is_for_a_spreadsheet(shell: Shell) -> None:
    done = await shell.run("users", "export", "--format", "jsonl", "--for-spreadsheet")

    assert (done.exit_code, "--for-spreadsheet is for CSV" in done.stderr) == (2, True)


async def test_bad_records_are_named_and_the_others_come_in(
    shell: Shell, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    given = "".join(
        (
            HEADER,
            f"Ann,ann@example.com,{BCRYPT}\n",
            f",nobody,{BCRYPT}\n",
            "Cyd\n",
            f'"Dan, D.",dan@example.com,{BCRYPT}\n',
            f'"Gil\nG.",gil@example.com,{BCRYPT}\n',
        )
    )
    rejects = tmp_path / "rejects.csv"

    done = await shell.run(*CSV, "--rejects", str(rejects), stdin=given)

    assert (done.exit_code, done.stdout) == (1, "5 read, 2 inserted, 0 updated, 0 skipped, 3 rejected\n")
    assert list(csv.reader(rejects.read_text().splitlines(keepends=True))) == [
        ["line", "reason", "name", "email", "hashed_password"],
        ["3", "name: required; email: not a valid email address", "", "nobody", BCRYPT],
        ["4", "has 1 fields, the header has 3", "Cyd"],
        ["6", "name: must not contain control characters", "Gil\nG.", "gil@example.com", BCRYPT],
    ]
    assert await emails(client) == ["ann@example.com", "dan@example.com"]


async def test_bad_json_lines_are_named(shell: Shell, client: httpx.AsyncClient) -> None:
    good = json.dumps({"name": " Ann ", "email": "ann@example.com", "hashed_password": ARGON2, "id": 7})
    given = f'{good}\n\n{{"name": 7}}\nnonsense\n[]\n'

    done = await shell.run("users", "import", "-", "--format", "jsonl", stdin=given)

    assert (done.exit_code, done.stdout) == (1, "4 read, 1 inserted, 0 updated, 0 skipped, 3 rejected\n" + ANEW)
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["line 3", "line 4", "line 5"]
    assert (await client.get("/users/1")).json()["name"] == "Ann"


async def test_a_conflict_fails_all_and_names_the_line(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await add_people(engine, ("N", "N7@example.com"))

    done = await shell.run(*CSV, stdin=rows(12_000))

    told = done.stderr.splitlines()[-1]
    assert (done.exit_code, told) == (2, "Error: Nothing was imported: the address in line 9 is taken")
    assert await emails(client) == ["N7@example.com"]


@pytest.mark.parametrize(("on_conflict", "name"), [("skip", "Old"), ("update", "N1 again")])
async def test_what_is_there_is_skipped_or_updated(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine, on_conflict: str, name: str
) -> None:
    await add_people(engine, ("Old", "N1@example.com"))
    before, tag_before = await stored(engine), (await client.get("/users/1")).headers["etag"]
    given = f"{rows(3)}N1 again,n1@example.com,{BCRYPT}\nN2,n2@example.com,{BCRYPT}\n"

    first = await summary(shell, *CSV, "--on-conflict", on_conflict, stdin=given)
    tag = (await client.get("/users/1")).headers["etag"]
    again = await summary(shell, *CSV, "--on-conflict", on_conflict, stdin=given)

    changed = {"updated": 1} if on_conflict == "update" else {}
    assert first == (0, {"read": 5, "inserted": 2, **changed, "skipped": 3 - len(changed)})
    assert again == (0, {"read": 5, "skipped": 5})
    after = await client.get("/users/1")
    assert (after.json()["name"], after.headers["etag"]) == (name, tag)
    assert (tag == tag_before) == (on_conflict == "skip")
    assert (await stored(engine))[0][-1] == before[0][-1]
    assert (await client.get("/users")).json()["total"] == 3


@pytest.mark.parametrize("on_conflict", ["fail", "skip", "update"])
async def test_a_dry_run_tells_and_changes_nothing(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine, on_conflict: str
) -> None:
    await add_people(engine, ("Old", "n1@example.com"))

    done = await shell.run(*CSV, "--on-conflict", on_conflict, "--dry-run", stdin=rows(3))

    told = {
        "fail": (2, "Error: Nothing was imported: the address in line 3 is taken\n"),
        "skip": (0, ""),
        "update": (0, ""),
    }
    assert (done.exit_code, done.stderr) == told[on_conflict]
    assert await emails(client) == ["n1@example.com"]


async def test_users_come_in_with_hashes_or_passwords(shell: Shell, engine: AsyncEngine) -> None:
    given = "".join(
        json.dumps({"name": name, "email": f"{name}@example.com", **secret}) + "\n"
        for name, secret in {
            "argon2": {"hashed_password": ARGON2},
            "bcrypt": {"hashed_password": BCRYPT},
            "password": {"password": "correct horse"},
            "neither": {},
            "plain": {"hashed_password": "correct horse"},
            "costly": {"hashed_password": ARGON2.replace("m=64", "m=99999999")},
            "short": {"password": "hunter2"},
        }.items()
    )

    done = await shell.run("users", "import", "-", "--format", "jsonl", stdin=given)

    assert (done.exit_code, done.stdout) == (1, "7 read, 3 inserted, 0 updated, 0 skipped, 4 rejected\n")
    assert "hunter2" not in done.output
    assert "correct horse" not in done.output
    async with engine.connect() as connection:
        found = await connection.execute(select(User.name, User.hashed_password))
        hashes = {row.name: row.hashed_password for row in found}
    assert (hashes["argon2"], hashes["bcrypt"]) == (ARGON2, BCRYPT)
    passwords = Passwords()
    for hashed in hashes.values():
        assert [await passwords.verify(text, hashed) for text in ("correct horse", "wrong horse")] == [True, False]
    passwords.close()


async def test_hashes_are_exported_only_when_asked_for(shell: Shell) -> None:
    await shell.run(*CSV, stdin=f"{HEADER}Ada,ada@example.com,{BCRYPT}\n")

    without = await shell.run("users", "export", "--format", "csv")
    with_hashes = await shell.run("users", "export", "--format", "jsonl", "--with-hashes")

    assert without.stdout.splitlines()[0] == "id,name,email,created_at,active"
    assert "$2b$" not in without.stdout
    assert json.loads(with_hashes.stdout)["hashed_password"] == BCRYPT


@pytest.mark.parametrize(
    ("arguments", "given", "told"),
    [
        (["-", "--format", "csv"], "name,password\n", "the first line must name the columns; missing: email"),
        (["-", "--format", "csv"], "", "the first line must name the columns; missing: name, email"),
        (["-"], "", "the file is empty"),
        (["-", "--map", "nme=Name"], "", "--map takes FIELD=COLUMN, where FIELD is one of name, email, password"),
        (["-", "--encoding", "klingon"], "name", "klingon: not the name of an encoding"),
        (["-", "--encoding", "hex"], "name", "hex: not the name of an encoding"),
        (["-", "--encoding", "idna"], "name", "not idna; --encoding says what the file is written in"),
        (["-", "--encoding", "punycode"], "name", "not punycode; --encoding says what the file is written in"),
        (["-", "--records", "a"], '{"a": {"b": 1}}', "line 1: an array of records is expected here"),
        (["nowhere.csv"], "", "nowhere.csv: No such file or directory"),
    ],
)
async def test_what_cannot_be_read_at_all_is_a_failure(
    shell: Shell, arguments: list[str], given: str, told: str
) -> None:
    done = await shell.run("users", "import", *arguments, stdin=given)

    assert done.exit_code == 2
    assert told in done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_an_interrupted_import_is_completed_by_another(
    shell: Shell, client: httpx.AsyncClient, number: signal.Signals
) -> None:
    given = rows(25_000).encode()
    command = (*CSV, "--on-conflict", "skip")
    process = shell.start(*command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.stdin is not None

    def feed() -> None:
        assert process.stdin is not None
        process.stdin.write(given[: len(given) * 2 // 3])
        process.stdin.flush()

    await to_thread.run_sync(feed)
    total: Any = 0
    for _ in range(400):
        total = (await client.get("/users")).json()["total"]
        if total:
            break
        await sleep(0.05)
    process.send_signal(number)
    # What waits for input ends with it.
    process.stdin.close()
    await to_thread.run_sync(process.wait)
    kept = (await client.get("/users")).json()["total"]

    again = await summary(shell, *command, stdin=given)

    assert 0 < total <= kept < 25_000
    assert again == (0, {"read": 25_000, "inserted": 25_000 - kept, "skipped": kept})
    assert (await client.get("/users")).json()["total"] == 25_000


def look(file: Path) -> tuple[str, str, int]:
    """What is in a file, who may read it, and how many are beside it."""
    return file.read_text(), f"{file.stat().st_mode & 0o777:o}", len(list(file.parent.iterdir())) - 1


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A file that everybody may read, behind a link."""
    file = tmp_path / "there.csv"
    file.write_text("what was there\n")
    file.chmod(0o644)
    (tmp_path / "link.csv").symlink_to(file)
    return file


async def test_an_export_over_a_file_closes_it_to_others(shell: Shell, there: Path) -> None:
    exported = await shell.run("users", "export", str(there.with_name("link.csv")), "--with-hashes", "--force")

    assert (exported.exit_code, exported.stderr) == (0, "0 users exported\n")
    assert look(there) == ("id,name,email,created_at,active,hashed_password\n", "600", 1)


async def test_an_export_overwrites_nothing_unless_it_may(shell: Shell, there: Path) -> None:
    refused = await shell.run("users", "export", str(there))

    assert (refused.exit_code, refused.stderr) == (1, f"Error: {there}: is there already; --force overwrites it\n")
    assert look(there) == ("what was there\n", "644", 1)


async def test_a_failed_export_leaves_the_last_good_one(shell: Shell, engine: AsyncEngine, there: Path) -> None:
    await run(engine, "ALTER TABLE users RENAME TO hidden")
    try:
        failed = await shell.run("users", "export", str(there), "--force")
    finally:
        await run(engine, "ALTER TABLE hidden RENAME TO users")

    assert (failed.exit_code, look(there)) == (1, ("what was there\n", "644", 1))


@pytest.mark.parametrize(
    ("file", "status", "told"),
    [("/dev/null", 0, ""), ("/dev/full", 1, "No space left on device"), ("/nowhere/x", 1, "No such file or directory")],
)
async def test_an_export_goes_to_a_device_or_says_why_not(shell: Shell, file: str, status: int, told: str) -> None:
    exported = await shell.run("users", "export", file, "--format", "csv")

    assert (exported.exit_code, told in exported.stderr) == (status, True)
    assert not os.path.isfile(file)  # noqa: ASYNC240


@pytest.mark.parametrize(("given", "status"), [("\n", 1), (f"N,n@example.com,{BCRYPT}\n" * 2, 2)])
async def test_rejects_over_a_file_close_it_to_others_however_it_ends(
    shell: Shell, there: Path, given: str, status: int
) -> None:
    given = f"{HEADER}N,nobody,{BCRYPT}\n{given}"

    done = await shell.run(*CSV, "--rejects", str(there), "--force", stdin=given)

    assert done.exit_code == status
    assert look(there) == (
        f"line,reason,{HEADER}2,email: not a valid email address,N,nobody,{BCRYPT}\n",
        "600",
        1,
    )


@pytest.mark.parametrize("given", ["there.csv", "link.csv", "twin.csv"])
@pytest.mark.parametrize("as_input", [False, True])
async def test_rejects_never_go_to_what_is_imported(shell: Shell, there: Path, given: str, as_input: bool) -> None:
    there.with_name("twin.csv").hardlink_to(there)
    source, rejects = ("-" if as_input else str(there)), str(there.with_name(given))

    with there.open() as stdin:
        process = shell.start(
            "users", "import", source, "--format", "csv", "--rejects", rejects, stdin=stdin, stderr=subprocess.PIPE
        )
        _, told = await to_thread.run_sync(process.communicate)

    assert (process.returncode, told.decode()) == (2, f"Error: {rejects}: is what is to be imported\n")
    assert look(there) == ("what was there\n", "644", 2)
