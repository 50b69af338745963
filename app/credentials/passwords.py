"""Passwords: Argon2id, on as many threads as there are cores and never on the event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.credentials import foreign_hashes
from app.problems import Unavailable

T = TypeVar("T")

# OWASP's minimum for Argon2id: 19 MiB, two passes, one lane.
hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

_SEEN_BY_BCRYPT = 72
"""Bytes of a password."""


def _yield_to_the_event_loop() -> None:
    """Lower this thread's priority; only on Linux a nice value belongs to a thread."""
    if sys.platform == "linux":
        os.nice(5)


class Passwords:
    """Hashes and verifies. More than `queue` waiting at once are turned away, so that nobody waits for long."""

    def __init__(self, *, threads: int | None = None, queue: int = 128) -> None:
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
        workers = threads or cores or 1
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argon2", initializer=_yield_to_the_event_loop)
        self.limit = workers + queue
        self.under_way = 0

    async def hash(self, password: str) -> str:
        """Hash `password` as Argon2id (RFC 9106). Takes about 50 ms of one thread, by design. Raises: Unavailable."""
        return await self._run(hasher.hash, password)

    async def verify(self, password: str, hashed: str) -> bool:
        """Whether `password` is the one that was hashed. Costs as much as `hash`. Raises: Unavailable."""
        return await self._run(_matches, hashed, password)

    async def _run(self, work: Callable[..., T], *args: str) -> T:
        if self.under_way >= self.limit:
            raise Unavailable("Too many passwords are being hashed", code="overloaded")
        self.under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        finally:
            self.under_way -= 1

    def close(self) -> None:
        """Let the threads end once their work is done."""
        self._pool.shutdown(wait=False)


def should_rehash(hashed: str, password: str) -> bool:
    """Whether a hash is not as ours are. Of a long password bcrypt has seen a part, and would no more be right."""
    if hashed.startswith("$2"):
        return len(password.encode()) <= _SEEN_BY_BCRYPT
    return not hashed.startswith("$argon2") or hasher.check_needs_rehash(hashed)


def _matches(hashed: str, password: str) -> bool:
    try:
        if hashed.startswith("$2"):
            # Those who made the hash never saw more than 72 bytes; the library no longer cuts them off itself.
            return bcrypt.checkpw(password.encode()[:_SEEN_BY_BCRYPT], hashed.encode())
        if hashed.startswith("$argon2"):
            return hasher.verify(hashed, password)
        if foreign_hashes.kind(hashed) is None:
            # Who has no password is not to be told from others by the time that it takes.
            hasher.hash(password)
        return foreign_hashes.verify(hashed, password)
    except (VerificationError, InvalidHashError, ValueError):
        return False
