"""Faults of a file: what is wrong with all of it stops an import, and nothing that was misread becomes a person."""

from __future__ import annotations

import codecs
import io
import json
from base64 import b64encode
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.batches import batches
from app.bulk.formats import encoder
from app.bulk.mapping import FieldMap
from app.bulk.records import Reading, Records
from app.bulk.source import RecordsError
from app.credentials.passwords import Passwords
from app.resources.users.model import User
from app.resources.users.records import USERS
from tests.commands import Shell
from tests.test_imports import BCRYPT, CSV, HEADER, emails

ANN = f"Ann,ann@example.com,{BCRYPT}\n"
MALLORY = f"Mallory,mallory@example.com,{BCRYPT}\n"


def read(given: str | bytes, style: Any = None, **said: Any) -> list[Any]:
    """What stands in each line, and the fields of it."""
    source = io.BytesIO(given.encode() if isinstance(given, str) else given)
    fields = FieldMap(USERS.target(Passwords()).terms())
    return [(line, found) for line, _, found in Records(source, fields, Reading(style, **said))]


def check(given: str | bytes, style: Any) -> None:
    """Read and check it all."""
    source, target = io.BytesIO(given.encode() if isinstance(given, str) else given), USERS.target(Passwords())
    for _ in batches(Records(source, FieldMap(target.terms()), Reading(style)), target, may_lack_secrets=True):
        pass


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (f'"He said \\"hi\\"\n{MALLORY}end",v@example.com,{BCRYPT}\n', "line 3"),
        (f'"He said "hi"\n{MALLORY}end",v@example.com,{BCRYPT}\n', "line 3"),
        # The quote ends where its author did not mean it to.
        (f'"He said \\"\n{MALLORY}\\" end",v@example.com,{BCRYPT}\n', "line 3"),
        (f'"never closed\n{MALLORY}', "line 3: a quote is not closed"),
        (f'"{"x" * 140_000}\n{MALLORY}",v@example.com,{BCRYPT}\n', "line 3: a field of more than 131,072 characters"),
        (f'"{"x" * 2_000_000}\n{MALLORY}",v@example.com,{BCRYPT}\n', "line 3: longer than 1 MiB"),
        (f'"two\nlines",{BCRYPT}\n{MALLORY}', "line 3"),
        (f"lone\rreturn,v@example.com,{BCRYPT}\n{MALLORY}", "line 3"),
        (f"M\xfcller,v@example.com,{BCRYPT}\n{MALLORY}".encode("latin-1"), "line 3: not UTF-8"),
    ],
)
def test_an_error_of_the_format_ends_the_file(rest: str | bytes, told: str) -> None:
    before = (HEADER + ANN).encode()

    with pytest.raises(RecordsError, match=told) as caught:
        read(before + (rest.encode() if isinstance(rest, str) else rest))

    assert "Mallory" not in str(caught.value)


@pytest.mark.parametrize("on_conflict", ["fail", "skip", "update"])
async def test_text_of_a_quoted_field_is_never_a_user(
    shell: Shell, client: httpx.AsyncClient, on_conflict: str
) -> None:
    given = f'{HEADER}{ANN}"He said \\"hi\\"\n{MALLORY}end",v@example.com,{BCRYPT}\n'

    done = await shell.run(*CSV, "--on-conflict", on_conflict, "--json", stdin=given)

    told = json.loads(done.stdout)
    assert (done.exit_code, told["inserted"], await emails(client)) == (2, 0, [])
    assert "line 3" in told["error"]
    assert f"Error: {told['error']}\n" == done.stderr


async def test_a_wrong_value_is_one_rejected_record(shell: Shell, client: httpx.AsyncClient) -> None:
    given = f'{HEADER}Ann,nobody,{BCRYPT}\nBob\n"Cyd ""C""",cyd@example.com,{BCRYPT}\n'

    done = await shell.run(*CSV, stdin=given)

    assert (done.exit_code, done.stdout) == (1, "3 read, 1 inserted, 0 updated, 0 skipped, 2 rejected\n")
    assert await emails(client) == ["cyd@example.com"]


@pytest.mark.parametrize(
    ("style", "given", "told"),
    [
        ("csv", f"{HEADER}N;n@example.com;x\n", "line 2: separated by ;, not by commas"),
        ("csv", "name\temail\thashed_password\nN,n@example.com,x\n", "line 2: separated by commas, not by tabs"),
        ("csv", (HEADER + ANN).encode("utf-16-le"), "UTF-16 without a mark; say --encoding utf-16-le"),
        ("csv", (HEADER + ANN).encode("utf-16-be"), "UTF-16 without a mark; say --encoding utf-16-be"),
        ("csv", f"name,email,hashed_password\n山本,a@example.com,{BCRYPT}\n".encode("iso-2022-jp"), "iso-2022-jp"),
        # A title may stand above the header, but the text of a field is none.
        ("csv", f'Who,Mail,Bio\nAnn,a@x,"hi\n{HEADER}{MALLORY}"\n', "the header must come first"),
        ("csv", f'"Biography\n{HEADER}{MALLORY}"\n', "the header must come first"),
        ("csv", f"Who,Mail\nAnn,a@example.com\n{HEADER}{MALLORY}", "line 1 names several columns"),
        ("csv", f"name,email,hashed_password,x\n{ANN}{ANN}", "no record can be read: line 2 has 3 fields"),
        ("csv", "", "the file is empty"),
        ("csv", "\n\n", "the file is empty"),
        ("csv", "Ann,ann@example.com,x\n", "the file has no header"),
        ("csv", "Name,Mail,Age\n", "missing: email; found: Name, Mail, Age; --map FIELD=COLUMN"),
        ("csv", "name,e-mail,Email\n", "more than one column is called e-mail"),
        ("jsonl", '[\n{"name": "N"},\n{"name": N"},\n]\n', "line 3: not valid JSON"),
        ("jsonl", '[\n{"name": "N"},\n', "line 3: an object is expected here"),
        ("jsonl", '{\n"name": "N"\n}\n7\n', "line 4: an object is expected here"),
        ("jsonl", '{"name": "N"},\n{"name": \n', "line 3: not valid JSON"),
        ("jsonl", '{"users": [{"name": "N"}], "more": [{}]}', "--records users .there are users, more"),
        # What follows may be a part of what began before.
        (
            "jsonl",
            f'{{"name": "N"}}\n{{\n"x":\n{json.dumps({"name": "Mallory"})}\n}}\n',
            "line 2: an object that does not",
        ),
        ("jsonl", '{"name": "N"}\n{"name": "a\n{"name": "Mallory"}\n"}\n', "line 2: an object that does not end"),
        ("jsonl", '{"name": "N"}\n{"name": "Bo', "line 2: an object that does not end"),
        ("jsonl", '{"name": "N"}\n{"name": "M\xfcller"}\n'.encode("latin-1"), "line 2: not UTF-8"),
        ("jsonl", '{"name": "N"}\n{"name": "' + "x" * 2_000_000 + '"}\n', "line 2: longer than 1 MiB"),
    ],
)
def test_a_fault_of_the_file_is_told_once(style: str, given: str | bytes, told: str) -> None:
    with pytest.raises(RecordsError, match=told):
        check(given, style)


@pytest.mark.parametrize("on_conflict", ["fail", "skip"])
async def test_a_fault_at_the_end_of_a_file_is_found_before_anything_is_stored(
    shell: Shell, client: httpx.AsyncClient, on_conflict: str
) -> None:
    people = "".join(f"N{n},n{n}@example.com,{BCRYPT}\n" for n in range(10_500))
    given = f"{HEADER}{people}M\xfcller,m@example.com,{BCRYPT}\n".encode("latin-1")

    done = await shell.run(*CSV, "--on-conflict", on_conflict, stdin=given)

    assert (done.exit_code, await emails(client)) == (2, [])
    assert "line 10502: not UTF-8" in done.stderr


@pytest.mark.parametrize("style", ["csv", "jsonl"])
def test_a_byte_order_mark_is_taken_off(style: str) -> None:
    given = {
        "csv": f'"name","email","hashed_password"\nN,n@example.com,{BCRYPT}\n',
        "jsonl": json.dumps({"name": "N", "email": "n@example.com", "hashed_password": BCRYPT}),
    }[style]

    assert read(codecs.BOM_UTF8 + given.encode(), style) == read(given, style)


@pytest.mark.parametrize("style", ["csv", "jsonl"])
def test_what_is_written_can_be_read(style: Any) -> None:
    odd = [
        "a\rb",
        "\r",
        "a\nb",
        'a"b',
        '"',
        "\\",
        '\\"',
        "a,b",
        "\ufeffa",
        " a ",
        "=1+1",
        "NULL",
        "\u2028",
        "'",
        "\t;|",
    ]
    rows = [(name, f"{name}@example.com", name) for name in odd]
    beginning, encode = encoder(style, ("name", "email", "password"))

    found = read(beginning + encode(rows), style)

    assert [(row["name"], row["password"]) for _, row in found] == [(name, name) for name in odd]


@pytest.mark.parametrize("records", ["", "people.users"])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_of_any_size_is_read_in_pieces(records: str, indent: int | None) -> None:
    people = [{"name": f"N{n}", "email": f"n{n}@example.com", "password": "p" * 100} for n in range(9_000)]
    given: Any = {"first": ["x" * 100_000] * 12, "people": {"users": people, "more": []}} if records else people

    found = read(json.dumps(given, indent=indent), records=records)

    assert [person for _, person in found] == people
    assert (found[-1][0] > 9_000) == (indent is not None)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "utf-8-sig"])
@pytest.mark.parametrize("style", ["csv", "jsonl"])
def test_a_file_in_another_encoding_is_read_alike(encoding: str, style: str) -> None:
    given = {
        "csv": f"name,email,hashed_password\nM\xfcller,n@example.com,{BCRYPT}\n",
        "jsonl": json.dumps(
            {"name": "M\xfcller", "email": "n@example.com", "hashed_password": BCRYPT}, ensure_ascii=False
        ),
    }[style]
    said = {} if encoding in ("utf-16", "utf-32", "utf-8-sig") else {"encoding": encoding}

    assert read(given.encode(encoding), **said) == read(given)


HASHES = [
    BCRYPT,
    "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2",
    "$sm3$rounds=1000$abcdefgh$0123456789abcdef0123456789abcdef",
    "0x0100ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789",
    "{BCRYPT}$2y$04$NBKj7tYBp1IGY/o/xmh3n",
    "$2a$04$short",
    "$2x$04$mXJ1zxdYjDskLSixbCe7q",
    "$argon2id$v=19$m=8192,t=1,p=1$mYJmnc29",
    "$P$6abcdEFGHU5DV",
    "$H$6abcdEFGHU5DV",
    "$S$612345678aM7A",
    "$wp$2y$04$G.lYiN",
    "$1$gp1PjNWa$JQDC",
    "$5$rounds=1000$x",
    "$6$rounds=1000$x",
    "$y$j9T$F5Jx5fExr",
    "$apr1$gp1PjNWa$J",
    "pbkdf2_sha256$600$fQ7xTq0bYw2",
    "pbkdf2:sha256:600$h3LloS4lt",
    "$pbkdf2-sha256$600$jRUGJ",
    "scrypt:1024:8:1$S0meS4lt",
    "scrypt$1024$Zx81aQwErTy$8$1$",
    "$scrypt$ln=10,r=8,p=1$Ozs",
    "bcrypt_sha256$$2b$04$ts99",
    "bcrypt$$2b$04$0S849eIeNlF",
    "argon2$argon2id$v=19$m=102400",
    "sha1$gp1PjNWa$JQDC",
    "{SSHA}m6gFTpgU8t+7GEUV",
    "{CRYPT}$6$rounds=1000$5c",
    "AQAAAAIAAAPoAAAAEEGofU0B",
    "!Kd0sPq3vYt8wZx1cBn5mLr7hGf2jUe9aTi4oS6yW",
    " $2b$04$KcRFSikt1yrBBGQh6fxRJ",
    "185b99a6ca300fbe2e69c4f10a7579e9:03f32b34354d4df8bdc8a6bdb928389f",
]


async def test_a_hash_is_no_password(shell: Shell, engine: AsyncEngine) -> None:
    fine = ["correct $2 horse", "$money$ makes", "88e4ddd2402d92d50e1879d6ecd9ffd4", "{}[]()!?", "scrypt me a song"]
    given = "".join(
        json.dumps({"name": f"N{n}", "email": f"n{n}@example.com", "password": password}) + "\n"
        for n, password in enumerate(fine + HASHES)
    )

    done = await shell.run("users", "import", "-", "--format", "jsonl", stdin=given)

    async with engine.connect() as connection:
        stored = (await connection.scalars(select(User.name).order_by(User.id))).all()
    assert list(stored) == [f"N{n}" for n in range(len(fine))]
    assert done.stderr.count("password: looks like a hash; name the column hashed_password\n") == 20
    assert f"{len(HASHES)} rejected" in done.stdout


@pytest.mark.parametrize("length", [16, 20, 32, 64])
async def test_base64_of_one_length_in_every_row_is_a_column_of_hashes(
    shell: Shell, client: httpx.AsyncClient, length: int
) -> None:
    given = "name,email,password\n" + "".join(
        f"N{n},n{n}@example.com,{b64encode(bytes([n + 7]) * length).decode()}\n" for n in range(3)
    )

    done = await shell.run(*CSV, stdin=given)

    assert (done.exit_code, await emails(client)) == (2, [])
    assert "every password looks like a hash" in done.stderr


@pytest.mark.parametrize("length", [32, 40, 64, 128])
async def test_hex_of_one_length_in_every_row_is_a_column_of_hashes(
    shell: Shell, client: httpx.AsyncClient, length: int
) -> None:
    given = "name,email,password\n" + "".join(
        f"N{n},n{n}@example.com,{('%x' % (7 + n)) * length:.{length}}\n" for n in range(3)
    )

    done = await shell.run(*CSV, "--on-conflict", "update", stdin=given)

    assert (done.exit_code, await emails(client)) == (2, [])
    assert "every password looks like a hash; name the column hashed_password" in done.stderr
