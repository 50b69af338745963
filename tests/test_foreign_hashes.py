"""Hashes of other systems: what can be checked lets its owner in and nobody else, the rest is refused by its kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.credentials.foreign_hashes import kind, verify
from app.credentials.hash_forms import check_hash, normal_hash
from tests.callers import add_user

HASHES: dict[str, str] = json.loads((Path(__file__).parent / "files" / "hashes.json").read_text())
KINDS = {
    "argon2": 8,
    "bcrypt": 7,
    "Django bcrypt_sha256": 1,
    "Django PBKDF2": 2,
    "Django scrypt": 1,
    "Werkzeug PBKDF2": 1,
    "Werkzeug scrypt": 1,
    "PBKDF2": 1,
    "scrypt": 1,
    "phpass": 2,
    "WordPress bcrypt": 1,
    "Drupal SHA-512": 1,
    "LDAP {SSHA}": 1,
    "ASP.NET PBKDF2": 1,
}
REFUSED = {
    "bcrypt 2x": "bcrypt of another version",
    "bcrypt 2": "bcrypt of another version",
    "bcrypt 2b cost 17": "of a cost beyond 4 to 13",
    "argon2id p=17": "16 lanes",
    "argon2id t=17": "16 passes",
    "ldap {CRYPT}$6$": "LDAP's, but not {SSHA}",
    "sha512-crypt $6$": "SHA-512-crypt",
    "md5-crypt $1$": "MD5-crypt",
    "yescrypt $y$": "yescrypt",
    "better-auth salt:scrypt": "without the cost of it",
    "firebase scrypt base64": "Firebase's scrypt",
    "md5 hex": "plain MD5 or SHA in hex",
    "sha1 hex": "plain MD5 or SHA in hex",
    "sha256 hex": "plain MD5 or SHA in hex",
    "sha512 hex": "plain MD5 or SHA in hex",
    "bcrypt base64 of hash (hex) ": "bcrypt in base64",
}
ELSEWHERE = {"django unusable !", "meteor bcrypt(sha256)"}
"""No password at all, and what looks like bcrypt of a password, but is that of a digest."""


@pytest.mark.parametrize("name", sorted(HASHES.keys() - REFUSED.keys() - ELSEWHERE))
def test_a_hash_of_another_system_is_of_its_password_alone(name: str) -> None:
    hashed = normal_hash(HASHES[name])

    check_hash(hashed)
    assert (verify(hashed, "correct horse battery"), verify(hashed, "correct horse batterx")) == (True, False)


@pytest.mark.parametrize("costs", ["600", "i=600", "i=600,l=32"])
def test_the_costs_of_a_phc_string_are_spelt_in_several_ways(costs: str) -> None:
    hashed = f"$pbkdf2-sha256${costs}$jRUGJzySSikymydfabQcNQ$74fcQRGzgiXKJzDw3i5WTA+/fM5HYfZwJxqLVVnYQ4k"

    check_hash(hashed)
    assert (verify(hashed, "correct horse battery"), verify(hashed, "wrong horse")) == (True, False)


def test_every_kind_has_a_hash_to_try() -> None:
    found = [kind(normal_hash(HASHES[name])) for name in HASHES.keys() - REFUSED.keys() - ELSEWHERE]

    assert {name: found.count(name) for name in KINDS} == KINDS


@pytest.mark.parametrize(("name", "told"), REFUSED.items())
def test_a_hash_that_cannot_be_checked_is_refused_by_its_kind(name: str, told: str) -> None:
    with pytest.raises(ValueError, match="cannot be checked at a sign-in") as caught:
        check_hash(normal_hash(HASHES[name]))

    assert told in str(caught.value)
    assert HASHES[name] not in str(caught.value)


@pytest.mark.parametrize("made_by", KINDS)
async def test_whoever_comes_with_a_hash_signs_in_and_has_one_of_ours_then(
    remote: httpx.AsyncClient, engine: AsyncEngine, made_by: str
) -> None:
    hashed = next(found for found in map(normal_hash, HASHES.values()) if found and kind(found) == made_by)
    await add_user(engine, "Ada", hashed=hashed)

    answers = [
        await remote.post("/sessions", json={"email": "ada@example.com", "password": password})
        for password in ("wrong horse battery", "correct horse battery", "correct horse battery")
    ]

    assert [answer.status_code for answer in answers] == [401, 201, 201]
    async with engine.connect() as connection:
        [stored] = await connection.scalars(text("SELECT hashed_password FROM users"))
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_what_django_says_of_no_password_is_none() -> None:
    assert normal_hash(HASHES["django unusable !"]) is None


PBKDF2 = HASHES["django pbkdf2_sha256"]
WERKZEUG = HASHES["werkzeug scrypt"]


@pytest.mark.parametrize(
    "hashed",
    [
        "$2b$14$" + HASHES["bcrypt 2b"][7:],
        HASHES["django argon2$argon2id"].removeprefix("argon2").replace("m=102400", "m=102401"),
        "$argon2id$v=19$m=102400,t=11,p=1$c29tZXNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A",
        PBKDF2.replace("$600$", "$2000001$"),
        PBKDF2.replace("$600$", "$0$"),
        WERKZEUG.replace("scrypt:1024", "scrypt:1048576"),
        WERKZEUG.replace("scrypt:1024", "scrypt:1023"),
        WERKZEUG.replace("scrypt:1024", "scrypt:0"),
        WERKZEUG.replace(":8:1$", ":0:1$"),
        WERKZEUG.replace(":8:1$", ":8:0$"),
        WERKZEUG.replace("1024:8:1$", "65536:8:99$"),
        HASHES["kratos $scrypt$ln="].replace("ln=10", "ln=99"),
        "$P$Z" + HASHES["wordpress $P$"][4:],
        "AQAAAAIA////" + HASHES["asp.net identity v3"][12:],
        "AQAAAAkA" + HASHES["asp.net identity v3"][8:],
        "!",
        "",
    ],
)
def test_a_hash_that_costs_too_much_is_never_tried(hashed: str) -> None:
    assert not verify(hashed, "correct horse battery")
    with pytest.raises(ValueError, match="cannot be checked"):
        check_hash(hashed)


def credential(algorithm: str, rounds: int, salt: str, value: str, **more: list[str]) -> dict[str, Any]:
    data = {"hashIterations": rounds, "algorithm": algorithm, "additionalParameters": more}
    return {
        "type": "password",
        "secretData": json.dumps({"value": value, "salt": salt, "additionalParameters": {}}),
        "credentialData": json.dumps(data),
    }


@pytest.mark.parametrize(
    "given",
    [
        credential("pbkdf2-sha256", 600, "jRUGJzySSikymydfabQcNQ==", "74fcQRGzgiXKJzDw3i5WTA+/fM5HYfZwJxqLVVnYQ4k="),
        credential(
            "argon2",
            1,
            "mYJmnc29OJjfE7e0bWUOPA==",
            "ZZeu/SIQg3UCq3oIHwNSXWdR2nLUdCfL11SsiuWGMio=",
            memory=["8192"],
            type=["id"],
            version=["1.3"],
            parallelism=["1"],
        ),
    ],
)
def test_a_credential_of_keycloak_is_a_hash(given: dict[str, Any]) -> None:
    hashed = normal_hash(given)

    check_hash(hashed)
    assert (verify(hashed, "correct horse battery"), verify(hashed, "wrong horse")) == (True, False)


@pytest.mark.parametrize("given", [{}, {"secretData": "x", "credentialData": "{}"}, {"secretData": 7}, 7, ["$2b$"]])
def test_what_is_no_credential_stays_what_it_is(given: Any) -> None:
    assert normal_hash(given) is given
