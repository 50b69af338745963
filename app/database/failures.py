"""Failures: why the database cannot be used, in one line for whoever runs the service."""

from __future__ import annotations

import os
import re
from ssl import SSLError
from typing import Any

from asyncpg import LockNotAvailableError, PostgresError, ProtocolViolationError, ReadOnlySQLTransactionError

from app.database.errors import NOT_MIGRATED, root_cause
from app.database.places import place_of

MIGRATE = "run `litestar database upgrade --no-prompt`"
_QUOTED = re.compile('".*"', re.DOTALL)
_ERRNO = re.compile(r"\[Errno (\d+)\]")


def explain(error: BaseException, database: object) -> str:
    """What went wrong in one line, without a password, a statement or a value."""
    cause = root_cause(error)
    if _is_of_files(cause):
        return reason_of(cause)
    return f"Cannot use {place_of(cause) or f'the database {database}'}: {reason_of(cause)}"


def _is_of_files(cause: BaseException) -> bool:
    """Whether it is a file that failed, and no connection: a full disk, or one that may not be written."""
    is_of_system = isinstance(cause, OSError) and not isinstance(cause, ConnectionError | TimeoutError | SSLError)
    return is_of_system and place_of(cause) is None


def brief(error: BaseException) -> dict[str, Any]:
    """For a log: class, SQLSTATE and, of what could not connect, the reason. What a statement met may quote values."""
    cause = root_cause(error)
    told = {
        "cause": f"{type(cause).__module__}.{type(cause).__qualname__}",
        "sqlstate": getattr(cause, "sqlstate", None),
    }
    told["reason"] = explain(cause, "") if place_of(cause) else None
    return {name: value for name, value in told.items() if value}


def reason_of(cause: BaseException) -> str:
    return " ".join((_of_server(cause) if isinstance(cause, PostgresError) else _of_system(cause)).split())


def _of_server(error: PostgresError) -> str:
    message, state = error.message or str(error), str(error.sqlstate)
    if isinstance(error, NOT_MIGRATED):
        return f"the tables are not those of this version ({state}): {MIGRATE}"
    if isinstance(error, ReadOnlySQLTransactionError):
        return f"it takes no writes, as a standby or by default_transaction_read_only ({state})"
    if isinstance(error, ProtocolViolationError) and "startup parameter" in message:
        # A pooler's; ours then travel with each transaction.
        return f"{message} ({state}): add prepared_statement_cache_size=0 to DATABASE_URL"
    if isinstance(error, LockNotAvailableError):
        return f"another transaction did not let go of a table ({state}): pg_stat_activity or pg_prepared_xacts has it"
    # Where data is wrong the message itself quotes it, elsewhere only the detail does.
    return f"{_QUOTED.sub('...', message) if state.startswith('22') else message} ({state})"


def _of_system(error: BaseException) -> str:
    # A certificate's number is none of the system's.
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, SSLError):
        reason = os.strerror(error.errno) if error.errno > 0 else f"unknown host: {error.strerror}"
        return f"{error.filename}: {reason}" if error.filename else reason
    # What the event loop makes of several addresses of one host.
    if isinstance(error, OSError) and (numbers := _ERRNO.findall(str(error))):
        return ", ".join(sorted({os.strerror(int(number)) for number in numbers}))
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
