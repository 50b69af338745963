"""Summaries of imports: what a person has to know of what came in, and of what did not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.commands import Shell
from tests.people import add_people
from tests.test_imports import BCRYPT, CSV, HEADER, emails, look, rows, stored


@pytest.mark.parametrize("moment", ["2020-02-29T12:00:00.5+02:00", "2020-02-29T10:00:00.500000Z"])
async def test_when_somebody_was_created_is_kept(shell: Shell, client: httpx.AsyncClient, moment: str) -> None:
    people = [{"name": "N", "email": f"n{n}@example.com", "hashed_password": BCRYPT} for n in range(2)]
    given = json.dumps({**people[0], "created_at": moment}) + "\n" + json.dumps(people[1])

    done = await shell.run("users", "import", "-", "--format", "jsonl", stdin=given)

    assert done.exit_code == 0
    found = await client.get("/users", params={"created_before": "2020-02-29T10:00:00.6Z"})
    assert [item["email"] for item in found.json()["items"]] == ["n0@example.com"]
    assert await emails(client) == ["n0@example.com", "n1@example.com"]


@pytest.mark.parametrize("moment", ["yesterday", "2020-02-29", "12:00", "0001-01-01T00:00:00+14:00"])
@pytest.mark.parametrize("style", ["csv", "jsonl"])
async def test_a_time_that_is_none_is_rejected(shell: Shell, moment: str, style: str) -> None:
    person = {"name": "N", "email": "n@example.com", "hashed_password": BCRYPT, "created_at": moment}
    given = {"jsonl": json.dumps(person), "csv": f"{','.join(person)}\n{','.join(person.values())}\n"}[style]

    done = await shell.run("users", "import", "-", "--format", style, stdin=given)

    assert (done.exit_code, done.stdout) == (1, "1 read, 0 inserted, 0 updated, 0 skipped, 1 rejected\n")
    assert "created_at: must " in done.stderr


async def test_an_update_keeps_when_somebody_was_created(shell: Shell, engine: AsyncEngine) -> None:
    await add_people(engine, ("Old", "n@example.com"))
    before = await stored(engine)
    given = f"name,email,hashed_password,created_at\nNew,n@example.com,{BCRYPT},2020-01-01T00:00:00Z\n"

    done = await shell.run(*CSV, "--on-conflict", "update", stdin=given)

    assert done.exit_code == 0
    assert await stored(engine) == [(1, "New", "n@example.com", BCRYPT, before[0][-1])]


@pytest.mark.parametrize("null", ["NULL", "\\N"])
async def test_a_null_that_would_be_a_person_is_told_or_left_out(
    shell: Shell, client: httpx.AsyncClient, null: str
) -> None:
    people = [(null, "a@example.com", BCRYPT), (null, "b@example.com", BCRYPT), ("Cyd", "c@example.com", BCRYPT)]
    people += [("Dan", null, BCRYPT), ("Eve", "e@example.com", null)]
    given = HEADER + "".join(",".join(person) + "\n" for person in people)

    told = await shell.run(*CSV, "--dry-run", stdin=given)
    done = await shell.run(*CSV, "--null", null, stdin=given)

    assert told.stdout.splitlines()[1:] == [
        "note: NULL or \\N came in as a text, in records (2); --null says which text stands for nothing"
    ]
    assert (done.exit_code, await emails(client)) == (1, ["c@example.com"])
    assert done.stderr.splitlines() == [
        "line 2: name: required",
        "line 3: name: required",
        "line 5: email: required",
        "line 6: either password or hashed_password is required",
    ]


@pytest.mark.parametrize("null", ["null", "None", "(null)", "N/A"])
async def test_other_spellings_of_nothing_are_told_by_name(shell: Shell, null: str) -> None:
    done = await shell.run(*CSV, "--dry-run", stdin=f"{HEADER}{null},a@example.com,{BCRYPT}\n")

    assert f"note: {null} came in as a text, in records (1)" in done.stdout


@pytest.mark.parametrize(("style", "given"), [("csv", HEADER), ("jsonl", ""), ("jsonl", "\n\n")])
async def test_a_file_without_records_is_told(shell: Shell, style: str, given: str) -> None:
    done = await shell.run("users", "import", "-", "--format", style, stdin=given)

    assert (done.exit_code, done.stdout.splitlines()[1:]) == (0, ["note: the file holds no records"])


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("ab", "the address in line 3 is taken"),
        ("aA", "the address in line 3 is that of line 2, too"),
        (
            "aAcab",
            "the address in line 3 is that of line 2, too; 3 records have an address that is taken or comes twice",
        ),
    ],
)
async def test_a_repetition_is_not_called_taken(
    shell: Shell, engine: AsyncEngine, given: str, told: str, dry: list[str]
) -> None:
    await add_people(engine, ("B", "b@example.com"))
    people = "".join(f"N,{letter}@example.com,{BCRYPT}\n" for letter in given)

    done = await shell.run(*CSV, *dry, "--json", stdin=HEADER + people)

    assert (done.exit_code, json.loads(done.stdout)["error"]) == (2, f"Nothing was imported: {told}")


@pytest.mark.parametrize("style", ["csv", "jsonl"])
async def test_what_was_rejected_can_be_mended_and_read_again(
    shell: Shell, client: httpx.AsyncClient, tmp_path: Path, style: str
) -> None:
    people: list[dict[str, Any]] = [
        {"email": "nobody", "name": 'A "B", C', "hashed_password": BCRYPT},
        {"email": "b@example.com", "name": "B", "hashed_password": BCRYPT},
        {"email": "nobody", "name": "D", "hashed_password": BCRYPT, "id": "7"},
    ]
    given = "".join(json.dumps(person) + "\n" for person in people) + "{broken\n"
    if style == "csv":
        given = (
            f'email,name,hashed_password,id\nnobody,"A ""B"", C",{BCRYPT},\nb@example.com,B,{BCRYPT},\n'
            f"nobody,D,{BCRYPT},7\nshort\n"
        )
    rejects = tmp_path / f"rejects.{style}"

    first = await shell.run("users", "import", "-", "--format", style, "--rejects", str(rejects), stdin=given)
    text = rejects.read_text()
    mended = text.replace("nobody", "a@example.com", 1).replace("nobody", "d@example.com", 1)
    again = await shell.run("users", "import", "-", "--format", style, stdin=mended)

    assert (first.exit_code, look(rejects)[1]) == (1, "600")
    assert again.stdout.startswith("3 read, 2 inserted, 0 updated, 0 skipped, 1 rejected\n")
    found = (await client.get("/users", params={"sort": "id"})).json()["items"]
    assert [item["name"] for item in found] == ["B", 'A "B", C', "D"]
    if style == "csv":
        assert text.splitlines()[:2] == [
            "line,reason,email,name,hashed_password,id",
            f'2,email: not a valid email address,nobody,"A ""B"", C",{BCRYPT},',
        ]


async def test_rejects_overwrite_nothing_unless_they_may(shell: Shell, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("what was there\n")

    refused = await shell.run(*CSV, "--rejects", str(there), stdin=rows(1))
    kept = there.read_text()
    forced = await shell.run(*CSV, "--rejects", str(there), "--force", stdin=rows(1))

    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (
        2,
        f"Error: {there}: is there already; --force overwrites it",
    )
    assert (kept, forced.exit_code, look(there)) == (
        "what was there\n",
        0,
        (f"line,reason,{HEADER}", "600", 0),
    )
