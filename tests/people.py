"""People: users put straight into the database, for tests that read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_INSERT = text(
    "INSERT INTO users (name, email, hashed_password, created_at)"
    " VALUES (:name, :email, '', CAST(CAST(:at AS text) AS timestamptz))"
)


async def add_people(engine: AsyncEngine, *people: tuple[str, str]) -> None:
    """Add users with these names and addresses, the first created at midnight, each a minute after the one before."""
    rows: list[dict[str, Any]] = [
        {"name": name, "email": email, "at": f"2026-01-01T{n // 60:02}:{n % 60:02}:00Z"}
        for n, (name, email) in enumerate(people)
    ]
    async with engine.connect() as connection:
        for row in rows:
            await connection.execute(_INSERT, row)


async def add_crowd(engine: AsyncEngine, size: int) -> None:
    """Add users 1, 2 and so on, whose names repeat."""
    await add_people(engine, *((f"Person {n % 7}", f"p{n}@example.com") for n in range(1, size + 1)))
