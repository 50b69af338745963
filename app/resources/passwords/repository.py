"""Passwords: what changes them, and ends sessions with them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.credentials.tokens import make_token, token_hash
from app.problems import FieldError, Invalid, Missing
from app.repository.reader import Reader, by_key
from app.resources.passwords.model import PasswordReset
from app.resources.passwords.schemas import ResetToken
from app.resources.sessions.repository import end_others
from app.resources.users.model import User
from app.validation.weak_passwords import check_personal

_LIFETIME = timedelta(minutes=15)

_by_id = by_key(select(User.id, User.name, User.email, User.hashed_password), User.id)
_reset_of = by_key(
    select(PasswordReset.token_hash, PasswordReset.user_id).where(PasswordReset.expires_at > func.now()),
    PasswordReset.token_hash,
)


async def hash_of(reader: Reader, user_id: int, new_password: str) -> str:
    """The hash of a user's password, for whom another one would do. Raises: Missing, Invalid."""
    if (record := await reader.find(_by_id, user_id)) is None:
        raise Missing("User")
    _, name, email, hashed = record
    check_personal(new_password, name, email, field="new_password")
    return str(hashed)


def wrong_password(detail: str) -> Invalid:
    return Invalid([FieldError(detail, pointer="/current_password")])


async def replace_password(
    transaction: AsyncSession, user_id: int, hashed: str, *, instead_of: str | None = None, keep: int | None = None
) -> None:
    """Store a hash, maybe only instead of the one that was looked at, and end all sessions but `keep`.

    Raises: Missing, Invalid.
    """
    changed = update(User).where(User.id == user_id).values(hashed_password=hashed).returning(User.id)
    if instead_of is not None:
        changed = changed.where(User.hashed_password == instead_of)
    if await transaction.scalar(changed) is None:
        raise Missing("User") if instead_of is None else wrong_password("has been changed a moment ago")
    await end_others(transaction, user_id, keep)
    await transaction.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))


async def begin_reset(transaction: AsyncSession, user_id: int) -> ResetToken:
    """Raises: Missing."""
    token = make_token()
    values = select(literal(token_hash(token.encode())), User.id, func.now() + _LIFETIME).where(User.id == user_id)
    new = insert(PasswordReset).from_select(["token_hash", "user_id", "expires_at"], values)
    expires_at = await transaction.scalar(new.returning(PasswordReset.expires_at))
    if expires_at is None:
        raise Missing("User")
    return ResetToken(token, expires_at)


async def user_of_reset(reader: Reader, token: str) -> int:
    """Whose password a token resets. Raises: Invalid."""
    hashed = token_hash(token.encode())
    if (record := await reader.find(_reset_of, hashed) if hashed else None) is None:
        raise _invalid_token()
    return int(record[1])


async def finish_reset(transaction: AsyncSession, token: str, user_id: int, hashed: str) -> None:
    """Use a token up. Raises: Invalid."""
    # The user first, as everybody does who changes a password.
    await transaction.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    used = delete(PasswordReset).where(PasswordReset.token_hash == token_hash(token.encode()))
    if await transaction.scalar(used.returning(PasswordReset.user_id)) is None:
        raise _invalid_token()
    await replace_password(transaction, user_id, hashed)


def _invalid_token() -> Invalid:
    return Invalid([FieldError("is used up, expired or none at all", pointer="/token")], code="invalid_token")
