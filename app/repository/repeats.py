"""Repeats: what was answered to a request with a key, kept by the transaction that did what it asked for."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from asyncpg import LockNotAvailableError, SerializationError
from msgspec import Struct, structs
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    event,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import await_only, greenlet_spawn

from app.database.errors import root_cause
from app.database.model import Model
from app.problems import Problem
from app.repository.reader import Reader, by_key

idempotency_keys = Table(
    "idempotency_keys",
    Model.metadata,
    # SHA-256 of the caller, the route and the key.
    Column("digest", LargeBinary, primary_key=True),
    # SHA-256 of what was sent, without secrets: a digest of a password would be a hash that is quickly guessed.
    Column("fingerprint", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    # Null while the transaction is under way, so that nobody sees it.
    Column("status", BigInteger),
    Column("location", Text),
    Column("etag", LargeBinary),
    Column("body", LargeBinary),
    # Whoever the answer is about.
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE")),
    Index("ix_idempotency_keys_user_id", "user_id"),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
)
# `lock_timeout` is for this statement alone. It counts each wait anew.
_CLAIM = text("""
    WITH patience AS MATERIALIZED (SELECT current_setting('lock_timeout') AS before,
        set_config('lock_timeout', :milliseconds, true))
    INSERT INTO idempotency_keys (digest, fingerprint, expires_at)
    SELECT :digest, :fingerprint, now() + CAST(:lifetime AS interval) FROM patience
    ON CONFLICT DO NOTHING RETURNING set_config('lock_timeout', (SELECT before FROM patience), true)
""")
_KEEP = text("""
    UPDATE idempotency_keys SET fingerprint = :fingerprint, status = :status, location = :location, etag = :etag,
        body = :body, user_id = CAST(substring(:location FROM '^/users/([0-9]+)(?:/|$)') AS bigint)
    WHERE digest = :digest
""")
_LEAST = 0.1
_SLACK = 0.2
"""Seconds."""


class Answer(Struct, frozen=True):
    """What was answered to what was sent, whose fingerprint it is."""

    fingerprint: bytes
    status: int
    location: str | None
    etag: bytes | None
    body: bytes


_answers = by_key(
    select(idempotency_keys.c.digest, *(idempotency_keys.c[name] for name in Answer.__struct_fields__)),
    idempotency_keys.c.digest,
)


class RequestInProgress(Problem):
    """The same request is being done, and takes its time."""

    status = 409
    code = "request_in_progress"
    detail = "A request with this Idempotency-Key is being processed; send it again in a moment"

    def __init__(self) -> None:
        super().__init__()
        self.headers = {"Retry-After": "1"}


class AnsweredMeanwhile(RequestInProgress):
    """Another transaction was first, and is committed."""


class _ClaimTimeout(RequestInProgress, TimeoutError):
    """A claim has waited for several others, one after the other, and its connection is in the middle of it."""


async def find_answer(reader: Reader, digest: bytes) -> Answer | None:
    record = await reader.find(_answers, digest)
    return None if record is None else Answer(*record[1:])


def claim_first(
    transaction: AsyncSession, digest: bytes, fingerprint: bytes, *, lifetime: timedelta, until: float
) -> None:
    """Have a key claimed by whatever a transaction begins with, which waits for another that has it, until a moment of
    the event loop's clock or for the time of a round trip.

    Not the row first: whoever meets their own row takes it for somebody else's.
    That raises: RequestInProgress, AnsweredMeanwhile.
    """
    values = {"digest": digest, "fingerprint": fingerprint, "lifetime": lifetime}

    @event.listens_for(transaction.sync_session, "after_begin", once=True)
    def claim(_session: Any, _transaction: Any, connection: Connection) -> None:
        await_only(_claim(connection, values, until))


async def _claim(connection: Connection, values: dict[str, Any], until: float) -> None:
    patience = max(until - asyncio.get_running_loop().time(), _LEAST)
    values = {**values, "milliseconds": str(int(patience * 1000))}
    try:
        # A little later than the server, which then can say why.
        async with asyncio.timeout(patience + _SLACK):
            claimed = (await greenlet_spawn(connection.execute, _CLAIM, values)).first()
    except TimeoutError as error:
        raise _ClaimTimeout from error
    except DBAPIError as error:
        cause = root_cause(error)
        if isinstance(cause, LockNotAvailableError):
            raise RequestInProgress from error
        if isinstance(cause, SerializationError):  # Above READ COMMITTED it cannot be seen.
            raise AnsweredMeanwhile from error
        raise
    if claimed is None:
        raise AnsweredMeanwhile


async def keep_answer(transaction: AsyncSession, digest: bytes, answer: Answer) -> None:
    """Complete a key that the transaction has claimed."""
    await transaction.execute(_KEEP, {"digest": digest, **structs.asdict(answer)})
