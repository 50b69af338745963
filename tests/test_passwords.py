"""Passwords: Argon2id, a thread for each core, never on the event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from app.passwords import Passwords
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

    monkeypatch.setattr("app.passwords._matches", slow)
    await asyncio.gather(*(passwords.verify("correct horse", "") for _ in range(20)))

    assert most == 2
    passwords.close()


async def test_who_would_wait_for_too_many_is_turned_away() -> None:
    passwords = Passwords(threads=1, queue=1)

    done = await asyncio.gather(*(passwords.hash("correct horse") for _ in range(3)), return_exceptions=True)

    assert [type(result) for result in done] == [str, str, Unavailable]
    passwords.close()
