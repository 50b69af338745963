"""Options of imports: ids that stay, people without passwords, updates that leave what a file does not know."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.credentials.passwords import Passwords
from app.resources.users.model import User
from tests.commands import Shell
from tests.people import add_people
from tests.test_counts import run
from tests.test_imports import ARGON2, BCRYPT, CSV, emails, stored, summary

WITH_IDS = "id,name,email,hashed_password\n"


async def test_an_export_without_hashes_changes_names_and_addresses_and_leaves_hashes(
    shell: Shell, engine: AsyncEngine, tmp_path: Path
) -> None:
    await add_people(engine, ("Ann", "ann@example.com"), ("Bob", "bob@example.com"))
    await run(engine, f"UPDATE users SET hashed_password = '{ARGON2}'")
    file = tmp_path / "users.csv"
    await shell.run("users", "export", str(file))
    changed = file.read_text().replace("Ann,ann@", "Anna,Ann@").replace("Bob", "Bo")
    moved = changed.replace("bob@", "bo@").replace("Ann@", "anna@")

    told = await summary(shell, *CSV, "--on-conflict", "update", stdin=changed)
    by_address = await stored(engine)
    again = await summary(shell, *CSV, "--on-conflict", "update", "--keep-ids", stdin=moved)

    assert told[0] == again[0] == 0
    assert [row[:4] for row in by_address] == [
        (1, "Anna", "Ann@example.com", ARGON2),
        (2, "Bo", "bob@example.com", ARGON2),
    ]
    assert again[1] == {"read": 2, "updated": 2}
    assert [row[:4] for row in await stored(engine)] == [
        (1, "Anna", "anna@example.com", ARGON2),
        (2, "Bo", "bo@example.com", ARGON2),
    ]


@pytest.mark.parametrize("keep", [[], ["--keep-ids"]])
async def test_who_is_nobody_here_needs_a_password_to_be_added_by_an_update(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine, keep: list[str]
) -> None:
    await add_people(engine, ("Old", "ann@example.com"))
    given = f"{WITH_IDS}1,Ann,ann@example.com,\n2,Bob,bob@example.com,\n3,Cyd,cyd@example.com,{BCRYPT}\n"

    done = await shell.run(*CSV, "--on-conflict", "update", *keep, stdin=given)

    key = "id" if keep else "email"
    assert (done.exit_code, done.stdout.splitlines()[0]) == (
        1,
        "3 read, 1 inserted, 1 updated, 0 skipped, 1 rejected",
    )
    assert done.stderr == f"line 3: nobody here has this {key}, so password or hashed_password is required\n"
    assert await emails(client) == ["ann@example.com", "cyd@example.com"]


async def test_people_without_passwords_come_in_when_asked_for_and_cannot_sign_in(
    shell: Shell, engine: AsyncEngine
) -> None:
    given = "name,email,age\nAnn,ann@example.com,7\nBob,bob@example.com,8\n"

    refused = await shell.run(*CSV, stdin=given)
    done = await shell.run(*CSV, "--without-passwords", stdin=given)

    assert (refused.exit_code, refused.stderr) == (
        2,
        "Error: no record has password or hashed_password; --map hashed_password=COLUMN says where it stands,"
        " --without-passwords takes accounts that have none until they are given one; found: age\n",
    )
    assert (done.exit_code, done.stdout.splitlines()[1:]) == (0, ["note: ignored: age"])
    passwords = Passwords()
    for row in await stored(engine):
        assert [await passwords.verify(text, row[3]) for text in ("", "!", row[3])] == [False] * 3
    passwords.close()


async def test_an_export_of_people_without_passwords_comes_back_and_takes_nobodys_away(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await shell.run(*CSV, "--without-passwords", stdin="name,email\nAnn,ann@example.com\nBob,bob@example.com\n")
    exported = (await shell.run("users", "export", "--format", "csv", "--with-hashes")).stdout
    await run(engine, f"UPDATE users SET hashed_password = '{BCRYPT}' WHERE id = 1")
    await run(engine, "DELETE FROM users WHERE id = 2")

    done = await shell.run("users", "import", "-", "--on-conflict", "update", stdin=exported)

    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "2 read, 1 inserted, 0 updated, 1 skipped, 0 rejected")
    assert [row[2:4] for row in await stored(engine)] == [("ann@example.com", BCRYPT), ("bob@example.com", "!")]


async def test_ids_are_kept_and_the_next_comes_after_them(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    given = f"{WITH_IDS}7,Ann,ann@example.com,{BCRYPT}\n41,Bob,bob@example.com,{BCRYPT}\n"

    done = await shell.run(*CSV, "--keep-ids", stdin=given)
    again = await shell.run(*CSV, "--keep-ids", stdin=f"{WITH_IDS}41,Cyd,cyd@example.com,{BCRYPT}\n")
    created = await client.post("/users", json={"name": "Dan", "email": "dan@example.com", "password": "correct horse"})

    assert (done.exit_code, done.stdout) == (0, "2 read, 2 inserted, 0 updated, 0 skipped, 0 rejected\n")
    assert (again.exit_code, again.stderr) == (2, "Error: Nothing was imported: the id in line 2 is taken\n")
    assert [row[0] for row in await stored(engine)] == [7, 41, 42]
    assert created.json()["id"] == 42


async def test_no_file_of_ours_takes_the_place_of_another(shell: Shell, tmp_path: Path) -> None:
    """The last good one stays where an import fails before it has anything to write."""
    source, kept, new = tmp_path / "users.csv", tmp_path / "kept.csv", tmp_path / "new.csv"
    source.write_text("name,email\nAnn,ann@example.com\n")
    kept.write_text("kept\n")
    asked = [
        ["--ids", str(source), "--force"],
        ["--ids", str(kept)],
        ["--ids", str(kept), "--force"],
        ["--rejects", str(kept), "--force"],
        ["--rejects", str(new), "--ids", str(new), "--force"],
        ["--rejects", str(new)],
        ["--ids", str(kept), "--force", "--dry-run", "--without-passwords"],
    ]

    done = [await shell.run("users", "import", str(source), *options) for options in asked]

    assert [result.exit_code for result in done] == [2] * 6 + [0]
    assert (source.read_text().count("Ann"), kept.read_text(), new.exists()) == (1, "kept\n", False)
    assert "is what is to be imported" in done[0].stderr
    assert "is for --rejects already" in done[4].stderr


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (["--encoding", "cp1252"], f"name;email;hashed_password\nM\xfcller;nobody;{BCRYPT}\n".encode("cp1252")),
        (["--encoding", "utf-16-le"], f"name,email,hashed_password\nM\xfcller,nobody,{BCRYPT}\n".encode("utf-16-le")),
        (["--for-spreadsheet"], f"name,email,hashed_password\n''=M\xfcller,nobody,{BCRYPT}\n".encode()),
        (
            ["--records", "users"],
            json.dumps({"users": [{"name": "M\xfcller", "email": "nobody", "hashed_password": BCRYPT}]}).encode(),
        ),
    ],
)
async def test_what_was_rejected_is_read_again_with_the_same_options(
    shell: Shell, engine: AsyncEngine, tmp_path: Path, options: list[str], given: bytes
) -> None:
    bad = tmp_path / "bad.csv"

    first = await shell.run("users", "import", "-", *options, "--rejects", str(bad), stdin=given)
    mended = bad.read_bytes().replace(b"nobody", b"m@example.com")
    again = await shell.run("users", "import", "-", *options, stdin=mended)

    assert (first.exit_code, again.exit_code) == (1, 0)
    name = "'=M\xfcller" if "--for-spreadsheet" in options else "M\xfcller"
    assert [row[1:3] for row in await stored(engine)] == [(name, "m@example.com")]


@pytest.mark.parametrize("bad", ["", "x", "0", "-1", "1.5", "9223372036854775808"])
async def test_an_id_that_cannot_be_kept_is_rejected(shell: Shell, client: httpx.AsyncClient, bad: str) -> None:
    done = await shell.run(*CSV, "--keep-ids", stdin=f"{WITH_IDS}{bad},Ann,ann@example.com,{BCRYPT}\n")

    assert (done.exit_code, done.stderr.partition(":")[0], await emails(client)) == (1, "line 2", [])


async def test_an_address_that_belongs_to_another_id_stops_an_update(
    shell: Shell, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await add_people(engine, ("Ann", "ann@example.com"), ("Bob", "bob@example.com"))

    done = await shell.run(
        *CSV, "--keep-ids", "--on-conflict", "update", stdin=f"{WITH_IDS}1,Ann,BOB@example.com,{BCRYPT}\n"
    )

    assert (done.exit_code, done.stderr) == (
        2,
        "Error: Nothing was imported: the address in line 2 belongs to another id\n",
    )
    assert await emails(client) == ["ann@example.com", "bob@example.com"]


@pytest.mark.parametrize("on_conflict", ["fail", "skip", "update"])
async def test_old_and_new_ids_are_written_side_by_side(
    shell: Shell, engine: AsyncEngine, tmp_path: Path, on_conflict: str
) -> None:
    await add_people(engine, ("Old", "old@example.com"))
    file = tmp_path / "ids.csv"
    known = "" if on_conflict == "fail" else f"u-9,Old,OLD@example.com,{BCRYPT}\n"
    given = f"{WITH_IDS}{known}" + "".join(f"u-{n},N,n{n}@example.com,{BCRYPT}\n" for n in range(2))

    done = await shell.run(*CSV, "--ids", str(file), "--on-conflict", on_conflict, stdin=given)

    after = {row[2]: row[0] for row in await stored(engine)}
    old = [] if on_conflict == "fail" else ["u-9,1"]
    assert (done.exit_code, f"{file.stat().st_mode & 0o777:o}") == (0, "600")
    assert file.read_text().splitlines() == [
        "old,new",
        *old,
        f"u-0,{after['n0@example.com']}",
        f"u-1,{after['n1@example.com']}",
    ]


async def test_columns_are_found_joined_and_chosen(shell: Shell, engine: AsyncEngine) -> None:
    given = (
        "People of 2024;;;;;\nE-Mail;First Name;Last Name;Login;encrypted_password;Remarks\n"
        f"ann@example.com;Ann;Lee;al;{BCRYPT};x\nbob@example.com;;;bob;{BCRYPT};\n;;;;;\n"
    )

    done = await shell.run(
        *CSV, "--map", "name=First Name+Last Name|login,hashed_password=encrypted_password", stdin=given
    )

    assert (done.exit_code, done.stderr) == (0, "")
    assert [row[1:4] for row in await stored(engine)] == [
        ("Ann Lee", "ann@example.com", BCRYPT),
        ("bob", "bob@example.com", BCRYPT),
    ]
    assert done.stdout.splitlines()[1:] == [
        "note: ignored: Remarks",
        "note: passed over what stands above line 2, which names the columns",
    ]


async def test_a_packed_array_inside_an_object_comes_in(shell: Shell, engine: AsyncEngine) -> None:
    person = {"profile": {"name": "Ann"}, "mails": [{"address": "ann@example.com"}], "hash": f" {BCRYPT} "}
    given = json.dumps({"count": 1, "data": {"users": [person]}}, indent=2)

    done = await shell.run(
        "users",
        "import",
        "-",
        "--records",
        "data.users",
        "--map",
        "name=profile.name,email=mails.0.address,hashed_password=hash",
        stdin=gzip.compress(given.encode()),
    )

    assert (done.exit_code, done.stderr) == (0, "")
    assert [row[1:4] for row in await stored(engine)] == [("Ann", "ann@example.com", BCRYPT)]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-02 03:04:05.678901+00", "2024-01-02T03:04:05.678901+00:00"),
        ("2024-01-02 03:04:05 UTC", "2024-01-02T03:04:05+00:00"),
        ("2024-01-02 03:04:05 +0100", "2024-01-02T02:04:05+00:00"),
        ("2024-01-02T03:04:05.000Z", "2024-01-02T03:04:05+00:00"),
        ("1704164645", "2024-01-02T03:04:05+00:00"),
        ("1704164645678", "2024-01-02T03:04:05.678000+00:00"),
        ("2024-01-02 03:04:05", "2024-01-02T03:04:05+00:00"),
    ],
)
async def test_times_are_read_as_systems_write_them(shell: Shell, engine: AsyncEngine, text: str, moment: str) -> None:
    given = f"name,email,hashed_password,created_at\nN,n@example.com,{BCRYPT},{text}\n"

    done = await shell.run(*CSV, stdin=given)

    notes = ["note: times without an offset were taken for UTC (1)"] if text.endswith(":05") and "-" in text else []
    assert [row[-1].isoformat() for row in await stored(engine)] == [moment]
    assert done.stdout.splitlines()[1:] == notes


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("is_active", "t,f"),
        ("active", "TRUE,no"),
        ("suspended?", ",true"),
        ("Blocked", "0,1"),
        ("account enabled", "Yes,disabled"),
        ("deleted_at", ",2024-01-02"),
        ("banned_until", "2020-01-01 00:00:00+00,2999-01-01 00:00:00+00"),
        ("suspended_till", "2020-01-01 00:00:00 UTC,forever"),
    ],
)
async def test_who_was_deactivated_stays_so(shell: Shell, engine: AsyncEngine, column: str, values: str) -> None:
    first, last = values.split(",")
    given = f"name,email,hashed_password,{column}\nA,a@example.com,{BCRYPT},{first}\nB,b@example.com,{BCRYPT},{last}\n"

    done = await shell.run(*CSV, stdin=given)

    assert done.stdout.splitlines()[1:] == ["note: accounts that are not active, here as in the file: 1"]
    async with engine.connect() as connection:
        assert list(await connection.scalars(select(User.active).order_by(User.email))) == [True, False]


@pytest.mark.parametrize("on_conflict", ["fail", "skip", "update"])
async def test_numbers_that_are_behind_cost_nobody(shell: Shell, engine: AsyncEngine, on_conflict: str) -> None:
    await shell.run(*CSV, "--keep-ids", stdin=f"{WITH_IDS}1,Ann,ann@example.com,{BCRYPT}\n")
    await run(engine, "ALTER SEQUENCE users_id_seq RESTART WITH 1")

    done = await shell.run(
        *CSV, "--on-conflict", on_conflict, stdin=f"name,email,hashed_password\nBo,bo@example.com,{BCRYPT}\n"
    )

    assert (done.exit_code, [row[0] for row in await stored(engine)]) == (0, [1, 2])


@pytest.mark.parametrize("word", ["FALSCH", "maybe", "2"])
async def test_who_is_active_is_never_guessed(shell: Shell, engine: AsyncEngine, word: str) -> None:
    done = await shell.run(*CSV, stdin=f"name,email,hashed_password,active\nA,a@example.com,{BCRYPT},{word}\n")

    assert (done.exit_code, done.stderr) == (
        1,
        "line 2: active: must say yes or no; --null says which text is nothing\n",
    )
    assert await stored(engine) == []


async def test_an_update_leaves_who_is_active_unless_the_file_says(shell: Shell, engine: AsyncEngine) -> None:
    people = f"A,a@example.com,{BCRYPT}"
    await shell.run(*CSV, stdin=f"name,email,hashed_password,active\n{people},f\n")

    counts = [
        (await summary(shell, *CSV, "--on-conflict", "update", stdin=given))[1].get("updated", 0)
        for given in (
            f"name,email,hashed_password\n{people}\n",
            f"name,email,hashed_password,active\n{people},\n",
            f"name,email,hashed_password,active\n{people},t\n",
        )
    ]

    assert counts == [0, 0, 1]


async def test_who_was_deactivated_is_exported_as_such(shell: Shell, engine: AsyncEngine) -> None:
    await shell.run(*CSV, stdin=f"name,email,hashed_password,active\nA,a@example.com,{BCRYPT},f\n")
    for style in ("csv", "jsonl"):
        exported = await shell.run("users", "export", "--format", style, "--with-hashes")
        await run(engine, "DELETE FROM users")

        done = await shell.run("users", "import", "-", stdin=exported.stdout)

        assert done.exit_code == 0
        async with engine.connect() as connection:
            assert list(await connection.scalars(select(User.active))) == [False]


async def test_help_names_the_columns(shell: Shell) -> None:
    text = " ".join((await shell.run("users", "import", "--help")).stdout.split())

    assert "Columns, in any order: name, email, password or hashed_password, and id, created_at and active" in text
