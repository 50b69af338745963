"""Texts: what is stored can be seen, in one spelling, and an address has one account however it is written."""

from __future__ import annotations

import json
from typing import Any
from unicodedata import normalize

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.credentials.passwords import Passwords
from app.validation.addresses import normal_email
from app.validation.texts import is_readable, readable
from tests.commands import Shell
from tests.problems import invalid, problem, problem_of

ADA = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
TAKEN = problem(409, "email_taken", "Email already registered")
CONTROL, TURNED, UNSEEN = (
    "must not contain control characters",
    "must not contain characters that turn the direction of writing",
    "must contain something visible",
)
UNREADABLE = {
    "A\nda": CONTROL,
    "A\r\nda": CONTROL,
    "A\tda": CONTROL,
    "A\x1b[2Jda": CONTROL,
    "A\x7fda": CONTROL,
    "A\x85da": CONTROL,
    "\x1fAda": CONTROL,
    "Ada\x85": CONTROL,
    "A\u2028da": CONTROL,
    "A\u202eda": TURNED,
    "\u202dAda\u202c": TURNED,
    "A\u2067da": TURNED,
    "\u200b": UNSEEN,
    " \u200b \ufeff\u2060": UNSEEN,
    "\u00ad": UNSEEN,
    "\u3164": UNSEEN,
    "\u2800\u2800": UNSEEN,
    "\ufe0f\u034f": UNSEEN,
    "\U000e0041": UNSEEN,
}
E_ACUTE = "e\u0301"
SAME = {
    "ada@bücher.example": "ada@bücher.example",
    "ada@xn--bcher-kva.example": "ada@bücher.example",
    "Ada@XN--BCHER-KVA.Example": "Ada@bücher.example",
    f"ada@{normalize('NFD', 'bücher')}.example": "ada@bücher.example",
    "ada@BÜCHER.example": "ada@bücher.example",
    "ada@bücher。example": "ada@bücher.example",
}


async def sign_up(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post(
        "/users", content=json.dumps({**ADA, **fields}), headers={"Content-Type": "application/json"}
    )


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_name_that_cannot_be_seen_is_refused_everywhere(client: httpx.AsyncClient, name: str) -> None:
    await sign_up(client)

    created = await sign_up(client, name=name)
    changed = await client.patch("/users/1", json={"name": name})
    listed = await client.get("/users", params={"name": name})
    searched = await client.get("/users", params={"q": f"{name}{name}{name}"})

    error = {"detail": UNREADABLE[name]}
    assert problem_of(created) == problem_of(changed) == invalid({"pointer": "/name", **error})
    assert problem_of(listed) == invalid({"parameter": "name", **error})
    assert problem_of(searched) == invalid({"parameter": "q", **error})


async def test_an_import_refuses_what_cannot_be_seen(shell: Shell) -> None:
    given = "name,email,password\n\u200b,a@example.com,correct horse\nBo,b@example.com,correct horse\n"

    done = await shell.run("users", "import", "-", "--format", "csv", stdin=given)

    assert (done.exit_code, done.stdout) == (1, "2 read, 1 inserted, 0 updated, 0 skipped, 1 rejected\n")
    assert done.stderr == f"line 2: name: {UNSEEN}\n"


@pytest.mark.parametrize(
    "name",
    [
        "\N{WOMAN}\u200d\N{GIRL}",
        "\u0646\u0631\u0645\u200c\u0627\u0641\u0632\u0627\u0631",
        "\u05e9\u05dc\u05d5\u05dd\u200f!",
        "Zo\u00eb\u00a0B.",
        "\U000f0000",
        "\u0301",
    ],
    ids=["joined", "Persian", "Hebrew", "bound", "private", "accent"],
)
async def test_other_scripts_and_signs_are_names(client: httpx.AsyncClient, name: str) -> None:
    created = await sign_up(client, name=name)

    assert (created.status_code, created.json()["name"]) == (201, name)


async def test_a_text_is_stored_in_one_spelling_and_found_in_any(client: httpx.AsyncClient) -> None:
    composed, decomposed = "Ren\u00e9", f"Ren{E_ACUTE}"

    users = [(await sign_up(client, name=decomposed)).json()]

    assert users[0]["name"] == composed
    for name in (composed, decomposed, f" {decomposed} "):
        assert (await client.get("/users", params={"name": name})).json()["items"] == users
        assert (await client.get("/users", params={"q": name})).json()["items"] == users


@pytest.mark.parametrize(("accents", "status"), [(100, 201), (101, 422)])
async def test_a_name_is_as_long_as_it_is_stored(client: httpx.AsyncClient, accents: int, status: int) -> None:
    assert (await sign_up(client, name=E_ACUTE * accents)).status_code == status


async def test_a_password_is_taken_as_it_is(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    secret = f" \t\u202e\u200bpass{E_ACUTE} "

    created = await sign_up(client, password=secret)

    assert created.status_code == 201
    async with engine.connect() as connection:
        stored = str(await connection.scalar(text("SELECT hashed_password FROM users")))
    passwords = Passwords()
    try:
        assert [await passwords.verify(given, stored) for given in (secret, secret.strip())] == [True, False]
    finally:
        passwords.close()


@pytest.mark.parametrize("first", SAME)
async def test_an_address_is_one_account_however_its_domain_is_written(client: httpx.AsyncClient, first: str) -> None:
    created = await sign_up(client, email=first)

    again = [await sign_up(client, email=other) for other in SAME]

    assert created.json()["email"] == SAME[first]
    assert [problem_of(answer) for answer in again] == [TAKEN] * len(SAME)
    for other in SAME:
        assert (await client.get("/users", params={"email": other})).json()["items"] == [created.json()]


async def test_an_address_is_one_account_however_its_accents_are_written(client: httpx.AsyncClient) -> None:
    created = await sign_up(client, email=f"Ren{E_ACUTE}@Example.com")

    again = await sign_up(client, email="ren\u00e9@example.com")

    assert (created.json()["email"], problem_of(again)) == ("Ren\u00e9@Example.com", TAKEN)


@pytest.mark.parametrize(
    "email", ["Ada@Example.COM", "INFO@Example.com", "Postmaster@A--b.Example", "É.Ada@Example.com"]
)
async def test_the_letter_case_that_was_given_is_kept(client: httpx.AsyncClient, email: str) -> None:
    assert (await sign_up(client, email=email)).json()["email"] == email


async def test_an_import_knows_an_address_in_any_spelling(client: httpx.AsyncClient, shell: Shell) -> None:
    lines = "".join(json.dumps({**ADA, "email": email}) + "\n" for email in SAME)

    done = await shell.run("users", "import", "-", "--format", "jsonl", "--on-conflict", "skip", stdin=lines)

    assert done.stdout == "6 read, 1 inserted, 0 updated, 5 skipped, 0 rejected\n"
    assert (await client.get("/users/2")).status_code == 404


async def test_a_command_finds_a_user_by_any_spelling(client: httpx.AsyncClient, shell: Shell) -> None:
    await sign_up(client, email="ada@bücher.example")

    unknown = await shell.run("users", "delete", "nobody", "--yes")
    deleted = await shell.run("users", "delete", " ADA@xn--bcher-kva.example", "--yes")

    assert (unknown.exit_code, unknown.stderr) == (1, "Error: email: not a valid email address\n")
    assert (deleted.exit_code, deleted.stdout) == (0, "Deleted user 1.\n")


@settings(max_examples=500, deadline=None, database=None)
@given(st.text(max_size=12) | st.text("\u0301\u0327e \u200b\u3164\n\u202eA\u00e9", max_size=12))
def test_what_looks_readable_is_and_stays_so(given: str) -> None:
    if is_readable(given) and given.strip():
        assert readable(given) == given.strip()
    try:
        once = readable(given)
    except ValueError:
        return
    assert readable(once) == once == normalize("NFC", once)


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.text("aZé\u0301ßİΣ.", min_size=1, max_size=6),
    st.text("aZéüßİΣς\u0301-", min_size=1, max_size=6) | st.sampled_from(["xn--bcher-kva", "XN--Strae-Oqa"]),
)
def test_a_normal_address_is_its_own_normal_form(local: str, domain: str) -> None:
    try:
        once = normal_email(f"{local}@{domain}.com")
    except ValueError:
        return

    assert normal_email(once) == once == normalize("NFC", once)


@pytest.mark.parametrize("unseen", ["a\ufe0f", "a\u034fb", "a\u115f", "\u3164", "\u2800"])
async def test_an_address_holds_nothing_that_cannot_be_seen(client: httpx.AsyncClient, unseen: str) -> None:
    refused = await client.post("/users", json={**ADA, "email": f"{unseen}@example.com"})

    assert problem_of(refused) == invalid(
        {"pointer": "/email", "detail": "not a valid email address: a character that cannot be seen"}
    )


REASONS = {
    "ada": "",
    "ada\N{FULLWIDTH COMMERCIAL AT}example.com": "its @ is another character that looks like one",
    "ada\N{SMALL COMMERCIAL AT}example.com": "its @ is another character that looks like one",
    "@example.com": "nothing before the @",
    "ada@": "nothing after the @",
    "ada@corp.local": "a special-use domain",
    "ada@x.test": "a special-use domain",
    '"a b"@example.com': "quotes before the @",
    "ada@[127.0.0.1]": "write the address alone, without a name or brackets",
    "Ada <ada@example.com>": "write the address alone, without a name or brackets",
    "a..b@example.com": "two dots in a row",
    "ada@example..com": "two dots in a row",
    "ada@ab--c.com": "a domain that cannot be encoded (IDNA)",
    "ada@xn--zzzz.com": "a domain that cannot be encoded (IDNA)",
    "ada@\N{SNOWMAN}.com": "a domain that cannot be encoded (IDNA)",
    "ada@-b.com": "a hyphen beside a dot or at an end of the domain",
    "ada@b-.com": "a hyphen beside a dot or at an end of the domain",
    "ada@localhost": "a domain without a dot",
    ".ada@example.com": "a dot at the beginning or the end of a part",
    "ada.@example.com": "a dot at the beginning or the end of a part",
    "ada@.example.com": "a dot at the beginning or the end of a part",
    "ada@example.com.": "a dot at the beginning or the end of a part",
    "ada@127.0.0.1": "a domain whose last part is no word",
    f"ada@{'b' * 64}.com": "a part of it is too long",
    f"{'a' * 230}@{'b' * 20}.com": "a part of it is too long",
    "a\u200bda@example.com": "a character that cannot be seen",
    "a\ufe0f@example.com": "a character that cannot be seen",
    "a da@example.com": "a character that cannot stand before the @",
    "mailto:ada@example.com": "a character that cannot stand before the @",
    "ada@exa_mple.com": "a character that cannot stand in a domain",
    "ada@b@example.com": "a character that cannot stand in a domain",
    "ada@example,com": "a character that cannot stand in a domain",
}


@pytest.mark.parametrize("email", REASONS)
async def test_a_refused_address_is_told_why_everywhere(client: httpx.AsyncClient, email: str) -> None:
    detail = ": ".join(filter(None, ["not a valid email address", REASONS[email]]))

    created = await client.post("/users", json={**ADA, "email": email})
    listed = await client.get("/users", params={"email": email})

    assert problem_of(created) == invalid({"pointer": "/email", "detail": detail})
    assert problem_of(listed) == invalid({"parameter": "email", "detail": detail})
