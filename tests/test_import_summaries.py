"""Summaries of imports: what a person has to know of what came in, and of what did not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands import Shell
from tests.test_imports import BCRYPT, HEADER, emails, look, rows

CSV = ("developers", "import", "-", "--format", "csv")


@pytest.mark.parametrize("moment", ["2020-02-29T12:00:00.5+02:00", "2020-02-29T10:00:00.500000Z"])
@pytest.mark.parametrize("path", ["/developers", "/users"])
async def test_when_somebody_was_created_is_kept(
    shell: Shell, client: httpx.AsyncClient, moment: str, path: str
) -> None:
    secret = {"hashed_password": BCRYPT} if path == "/users" else {"specialty": "ops"}
    people = [{"name": "N", "email": f"n{n}@example.com", **secret} for n in range(2)]
    given = json.dumps({**people[0], "created_at": moment}) + "\n" + json.dumps(people[1])

    done = await shell.run(path[1:], "import", "-", "--format", "jsonl", stdin=given)

    assert done.exit_code == 0
    found = await client.get(path, params={"created_before": "2020-02-29T10:00:00.6Z"})
    assert [item["email"] for item in found.json()["items"]] == ["n0@example.com"]
    assert await emails(client, path) == ["n0@example.com", "n1@example.com"]


@pytest.mark.parametrize("moment", ["yesterday", "2020-02-29", "2020-02-29T12:00:00", "0001-01-01T00:00:00+14:00"])
@pytest.mark.parametrize("style", ["csv", "jsonl"])
async def test_a_time_that_is_none_is_rejected(shell: Shell, moment: str, style: str) -> None:
    person = {"name": "N", "email": "n@example.com", "specialty": "ops", "created_at": moment}
    given = {"jsonl": json.dumps(person), "csv": f"{','.join(person)}\n{','.join(person.values())}\n"}[style]

    done = await shell.run("developers", "import", "-", "--format", style, stdin=given)

    assert (done.exit_code, done.stdout) == (1, "1 read, 0 inserted, 0 updated, 0 skipped, 1 rejected\n")
    assert "created_at: must " in done.stderr


async def test_an_update_keeps_when_somebody_was_created(shell: Shell, client: httpx.AsyncClient) -> None:
    await client.post("/developers", json={"name": "Old", "email": "n@example.com", "specialty": "ops"})
    before = (await client.get("/developers/1")).json()
    given = "name,email,specialty,created_at\nNew,n@example.com,ops,2020-01-01T00:00:00Z\n"

    done = await shell.run(*CSV, "--on-conflict", "update", stdin=given)

    assert done.exit_code == 0
    assert (await client.get("/developers/1")).json() == {**before, "name": "New"}


@pytest.mark.parametrize("null", ["NULL", "\\N"])
async def test_a_null_that_would_be_a_person_is_told_or_left_out(
    shell: Shell, client: httpx.AsyncClient, null: str
) -> None:
    given = f"{HEADER}{null},a@example.com,ops\nBob,b@example.com,{null}\nCyd,c@example.com,ops\n"

    told = await shell.run(*CSV, "--dry-run", stdin=given)
    done = await shell.run(*CSV, "--null", null, stdin=given)

    assert told.stdout.splitlines()[1:] == [
        "note: NULL or \\N came in as a text, in records (2); --null says which text stands for nothing"
    ]
    assert (done.exit_code, await emails(client)) == (1, ["c@example.com"])
    assert done.stderr == "line 2: name: required\nline 3: specialty: required\n"


@pytest.mark.parametrize(("style", "given"), [("csv", HEADER), ("jsonl", ""), ("jsonl", "\n\n")])
async def test_a_file_without_records_is_told(shell: Shell, style: str, given: str) -> None:
    done = await shell.run("developers", "import", "-", "--format", style, stdin=given)

    assert (done.exit_code, done.stdout.splitlines()[1:]) == (0, ["note: the file holds no records"])


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("A,a@example.com,x\nB,b@example.com,x\n", "the address in line 3 is taken"),
        ("A,a@example.com,x\nA,A@example.com,x\n", "the address in line 3 is that of line 2, too"),
        (
            "A,a@example.com,x\nA,A@example.com,x\nC,c@example.com,x\nA,a@example.com,x\nB,b@example.com,x\n",
            "the address in line 3 is that of line 2, too; 3 records have an address that is taken or comes twice",
        ),
    ],
)
async def test_a_repetition_is_not_called_taken(
    shell: Shell, client: httpx.AsyncClient, given: str, told: str, dry: list[str]
) -> None:
    await client.post("/developers", json={"name": "B", "email": "b@example.com", "specialty": "x"})

    done = await shell.run(*CSV, *dry, "--json", stdin=HEADER + given)

    assert (done.exit_code, json.loads(done.stdout)["error"]) == (2, f"Nothing was imported: {told}")


@pytest.mark.parametrize("style", ["csv", "jsonl"])
async def test_what_was_rejected_can_be_mended_and_read_again(
    shell: Shell, client: httpx.AsyncClient, tmp_path: Path, style: str
) -> None:
    people: list[dict[str, Any]] = [
        {"email": "nobody", "name": 'A "B", C', "specialty": "ops"},
        {"email": "b@example.com", "name": "B", "specialty": "ops"},
        {"email": "nobody", "name": "D", "specialty": "ops", "id": "7"},
    ]
    given = "".join(json.dumps(person) + "\n" for person in people) + "{broken\n"
    if style == "csv":
        given = 'email,name,specialty,id\nnobody,"A ""B"", C",ops,\nb@example.com,B,ops,\nnobody,D,ops,7\nshort\n'
    rejects = tmp_path / f"rejects.{style}"

    first = await shell.run("developers", "import", "-", "--format", style, "--rejects", str(rejects), stdin=given)
    text = rejects.read_text()
    mended = text.replace("nobody", "a@example.com", 1).replace("nobody", "d@example.com", 1)
    again = await shell.run("developers", "import", "-", "--format", style, stdin=mended)

    assert (first.exit_code, look(rejects)[1]) == (1, "600")
    assert again.stdout.startswith("3 read, 2 inserted, 0 updated, 0 skipped, 1 rejected\n")
    found = (await client.get("/developers", params={"sort": "id"})).json()["items"]
    assert [item["name"] for item in found] == ["B", 'A "B", C', "D"]
    if style == "csv":
        assert text.splitlines()[:2] == [
            "line,reason,email,name,specialty,id",
            '2,email: not a valid email address,nobody,"A ""B"", C",ops,',
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
        ("line,reason,name,email,specialty\n", "600", 0),
    )
