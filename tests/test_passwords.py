"""Passwords: Argon2id, a thread for each core, never on the event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from app.credentials.hash_forms import check_hash
from app.credentials.passwords import Passwords, _matches
from app.problems import Unavailable


async def test_a_hash_is_argon2id_and_verifies_its_password_only() -> None:
    passwords = Passwords(threads=1)

    hashed = await passwords.hash("correct horse")

    parameters = extract_parameters(hashed)
    assert (parameters.type, parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (
        Type.ID,
        19_456,
        2,
        1,
    )
    assert await passwords.verify("correct horse", hashed)
    assert not await passwords.verify("wrong horse", hashed)
    assert not await passwords.verify("correct horse", "damaged")
    assert hashed != await passwords.hash("correct horse")
    passwords.close()


async def test_the_event_loop_runs_on_while_passwords_are_hashed() -> None:
    passwords = Passwords(threads=1)
    hashing = asyncio.gather(*(passwords.hash("correct horse") for _ in range(8)))
    turns = 0

    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 100
    passwords.close()


async def test_no_more_are_hashed_at_once_than_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, lock = Passwords(threads=2), threading.Lock()
    running, most = 0, 0

    def slow(hashed: str, password: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return True

    monkeypatch.setattr("app.credentials.passwords._matches", slow)
    await asyncio.gather(*(passwords.verify("correct horse", "") for _ in range(20)))

    assert most == 2
    passwords.close()


async def test_who_would_wait_for_too_many_is_turned_away() -> None:
    passwords = Passwords(threads=1, queue=1)

    done = await asyncio.gather(*(passwords.hash("correct horse") for _ in range(3)), return_exceptions=True)

    assert [type(result) for result in done] == [str, str, Unavailable]
    passwords.close()


ARGON2 = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A"
BCRYPT = "$2b$04$TCTsk1fiOP1xnzNpl/mN0O2w4bdJvBhMyxTG0Ixlz2JBAdZhM1PNS"


@pytest.mark.parametrize(
    "hashed",
    [
        ARGON2,
        ARGON2.replace("argon2id", "argon2d"),
        ARGON2.replace("argon2id", "argon2i"),
        ARGON2.replace("m=64", "m=8"),
        ARGON2.replace("m=64,t=1,p=1", "m=128,t=16,p=16"),
        ARGON2.replace("v=19", "v=16"),
        BCRYPT,
        BCRYPT.replace("$2b$04", "$2y$13"),
    ],
)
def test_a_hash_that_can_be_verified_is_taken(hashed: str) -> None:
    check_hash(hashed)

    if "$13$" not in hashed:
        assert not _matches("wrong horse", hashed)


@pytest.mark.parametrize(
    ("hashed", "told"),
    [
        (ARGON2.replace("m=64", "m=0"), "argon2 that is damaged"),
        (ARGON2.replace("t=1", "t=0"), "argon2 that is damaged"),
        (ARGON2.replace("p=1", "p=0"), "argon2 that is damaged"),
        (ARGON2.replace("m=64", "m=064"), "argon2 that is damaged"),
        (ARGON2.replace("m=64", "m=\N{ARABIC-INDIC DIGIT SIX}4"), "argon2 that is damaged"),
        (ARGON2.replace("c29tZXNhbHQ", "c29tZXNhbA"), "argon2 that is damaged"),
        (ARGON2.replace("c29tZXNhbHQ", "c29tZXNhbHR"), "argon2 that is damaged"),
        (ARGON2[:-1] + "B", "argon2 that is damaged"),
        (ARGON2 + "AA", "argon2 that is damaged"),
        (ARGON2 + "\n", "argon2 that is damaged"),
        (ARGON2.replace("m=64", "m=7"), "beyond 100 MiB"),
        (ARGON2.replace("p=1", "p=9"), "beyond 100 MiB"),
        (ARGON2.replace("m=64", "m=102401"), "beyond 100 MiB"),
        (ARGON2.replace("t=1", "t=17"), "16 passes"),
        (ARGON2.replace("m=64,t=1,p=1", "m=999,t=1,p=17"), "16 lanes"),
        (BCRYPT.replace("$04", "$03"), "of a cost beyond 4 to 13"),
        (BCRYPT.replace("$04", "$14"), "of a cost beyond 4 to 13"),
        (BCRYPT.replace("$04", "$31"), "of a cost beyond 4 to 13"),
        (BCRYPT[:28] + "a" + BCRYPT[29:], "of a cost beyond 4 to 13"),
    ],
)
def test_a_hash_that_the_library_refuses_or_that_costs_too_much_is_not_taken(hashed: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_hash(hashed)


async def test_for_an_account_without_a_password_one_is_hashed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the time that it takes tells nobody which accounts these are."""
    hashed: list[str] = []
    hash_it = PasswordHasher.hash

    def counted(self: PasswordHasher, password: str | bytes) -> str:
        hashed.append(str(password))
        return hash_it(self, password)

    monkeypatch.setattr(PasswordHasher, "hash", counted)
    passwords = Passwords(threads=1)

    assert not await passwords.verify("wrong horse", "!")

    assert hashed == ["wrong horse"]
    passwords.close()
