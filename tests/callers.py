"""Callers: people who have signed in, put straight into the database."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.credentials.passwords import hasher
from app.credentials.tokens import make_token, token_hash

PASSWORD = "correct horse"

_USER = text(
    "INSERT INTO users (name, email, hashed_password, is_admin, active)"
    " VALUES (:name, :email, :hashed, :is_admin, :active) RETURNING id"
)
_SESSION = text(
    "INSERT INTO sessions (token_hash, user_id, user_agent, expires_at, last_used_at)"
    " VALUES (:hashed, :user_id, 'a test', now() + CAST(CAST(:left AS text) AS interval),"
    " now() - CAST(CAST(:idle AS text) AS interval))"
)


async def add_user(
    engine: AsyncEngine, name: str, *, is_admin: bool = False, active: bool = True, hashed: str | None = None
) -> int:
    """Add a user whose address is made of the name, and whose password is `PASSWORD`; the id."""
    values = {"name": name, "email": f"{name.lower()}@example.com", "hashed": hashed or hashed_password()}
    async with engine.connect() as connection:
        user_id = await connection.scalar(_USER, {**values, "is_admin": is_admin, "active": active})
    assert user_id is not None
    return int(user_id)


async def add_session(engine: AsyncEngine, user_id: int, *, left: str = "1 hour", idle: str = "0 s") -> str:
    """Let a user have signed in; the token."""
    token = make_token()
    values: dict[str, Any] = {"hashed": token_hash(token.encode()), "user_id": user_id, "left": left, "idle": idle}
    async with engine.connect() as connection:
        await connection.execute(_SESSION, values)
    return token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@cache
def hashed_password() -> str:
    return hasher.hash(PASSWORD)
