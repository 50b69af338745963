"""Failures: why a command on the schema failed, in one line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import cycle
from ssl import SSLError
from typing import Any

from alembic.util import CommandError
from asyncpg import PostgresError, UndefinedObjectError

from app.database.errors import root_cause

OLDEST = 14
"""The first PostgreSQL that notices a client that is gone."""
_QUOTED = re.compile('".*"', re.DOTALL)


def command_error(error: BaseException, options: Mapping[str, Any], migration: str | None) -> CommandError:
    """What went wrong in one line, without a password, a statement or a value."""
    if migration is not None:
        return CommandError(f"Migration {migration} failed: {reason(error)}")
    return CommandError(f"Cannot use the database {options.get('database')}{_where(options)}: {reason(error)}")


def reason(error: BaseException) -> str:
    """In one line."""
    return " ".join(_reason(root_cause(error)).split())


def _where(options: Mapping[str, Any]) -> str:
    hosts, ports = (
        value if isinstance(value, list | tuple) else [value] for value in map(options.get, ("host", "port"))
    )
    addresses = [f"{host}:{port or 5432}" for host, port in zip(hosts, cycle(ports), strict=False) if host]
    return " on " + ", ".join(addresses) if addresses else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, PostgresError):
        message, state = error.message or str(error), str(error.sqlstate)
        if state == UndefinedObjectError.sqlstate and "client_connection_check_interval" in message:
            return f"the server is too old, PostgreSQL {OLDEST} is needed ({state})"
        # Where data is wrong the message itself quotes it, elsewhere only the detail does.
        return f"{_QUOTED.sub('...', message) if state.startswith('22') else message} ({state})"
    # A certificate's number is none of the system's.
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, SSLError):
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
