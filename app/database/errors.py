"""Errors: the driver's exception behind the wrappings, and the problem that its SQLSTATE means."""

from __future__ import annotations

from errno import EMFILE, ENFILE
from ssl import SSLError

from asyncpg import (
    InvalidCachedStatementError,
    PostgresError,
    UndefinedColumnError,
    UndefinedFunctionError,
    UndefinedTableError,
)
from msgspec import UNSET
from sqlalchemy import Column, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.database.connector import CONNECTION_ERRORS
from app.database.homes import ServerError
from app.database.model import Model
from app.problems import Conflict, FieldError, Invalid, Problem, Unavailable

# SQLSTATEs after which the same request may succeed: connection, a transaction that took too long, serialization,
# resources, operator, system.
_TRANSIENT = ("08", "25P03", "25P04", "40", "53", "55", "57", "58")

# The same, but the database does answer, or somebody before it: what it says, and the code.
_REFUSALS = {
    "08P01": ("The service cannot use its database", "database_unavailable"),
    "25006": ("The database takes no writes", "read_only"),
    "28": ("The database refuses the login of the service", "database_unavailable"),
    "3D": ("The database of the service is not there", "database_unavailable"),
    "40": ("Another transaction was in the way", "database_unavailable"),
    "42501": ("The role of the service lacks a right in the database", "database_unavailable"),
    "42P01": ("The schema is not the one that this version needs", "schema_outdated"),
    "53300": ("The database has no connection left", "database_unavailable"),
    "55P03": ("Another transaction was in the way", "database_unavailable"),
    "57014": ("A statement took too long and was stopped", "statement_timeout"),
}

NOT_MIGRATED = (UndefinedTableError, UndefinedColumnError, UndefinedFunctionError)
"""What a command meets on a schema of another version."""


# A byte sequence that is no text, a character that the database's encoding does not have, and what is too much.
_UNSTORABLE = {
    **dict.fromkeys(("22021", "22P05"), "holds a character that the database cannot store"),
    **dict.fromkeys(("22001", "22003"), "is longer, or larger, than what the database can store"),
}

# Restricted, foreign key, unique, exclusion: what another row says; the rest of class 23 should not come this far.
_CONFLICTS = frozenset({"23001", "23503", "23505", "23P01"})

DRIVER_ERRORS = (PoolTimeout, *CONNECTION_ERRORS, AsyncAdapt_asyncpg_dbapi.Error)
"""What the driver and the pool raise, and what SQLAlchemy makes of it in between."""


def database_problem(error: BaseException) -> Problem | None:
    root = root_cause(error)
    if isinstance(root, PoolTimeout):
        return Unavailable("No database connection became free in time", code="pool_timeout")
    if isinstance(root, PostgresError):
        return _from_sqlstate(root)
    # What is left of an outage has no SQLSTATE: refused, reset, timed out, or a driver that lost its peer; but a value
    # that the driver does not take is a ValueError, too.
    if isinstance(root, DRIVER_ERRORS) and (isinstance(root, SSLError) or not isinstance(root, ValueError)):
        # Either nobody answers where the database should be, or something is in the way that does not go by itself.
        in_the_way = isinstance(root, PermissionError | SSLError | ServerError)
        in_the_way |= getattr(root, "errno", 0) in (EMFILE, ENFILE)
        return Unavailable("The service cannot use its database" if in_the_way else None)
    return None


def _from_sqlstate(error: PostgresError) -> Problem | None:
    state = str(error.sqlstate or "")
    if state in _CONFLICTS:
        rule = rule_of(error)
        return Conflict() if rule is None else violation_of(rule, _pointer(rule))
    if state in _UNSTORABLE:
        return Invalid([FieldError(_UNSTORABLE[state])])
    if isinstance(error, InvalidCachedStatementError):
        # SQLAlchemy has dropped all plans by now; the transaction has failed, and nothing of it was stored.
        return Unavailable("The schema changed a moment ago")
    if refusal := _REFUSALS.get(state) or _REFUSALS.get(state[:2]):
        return Unavailable(refusal[0], code=refusal[1])
    if state.startswith(_TRANSIENT):
        return Unavailable()
    return None


Rule = Index | UniqueConstraint | ForeignKeyConstraint


def rule_of(error: PostgresError) -> Rule | None:
    """The index or constraint of ours that an error is about, unless it is that others refer to the row."""
    table = Model.metadata.tables.get(str(getattr(error, "table_name", "")))
    for rule in () if table is None else (*table.indexes, *table.constraints):
        if isinstance(rule, Rule) and rule.name == getattr(error, "constraint_name", None):
            # Both sides of a foreign key raise the same; the columns that are named tell which, in every language.
            key = f"({', '.join(fields_of(rule))})="
            return None if isinstance(rule, ForeignKeyConstraint) and key not in str(error.detail) else rule
    return None


def violation_of(rule: Rule, pointer: str | None) -> Problem:
    """What a violation is called: by the `problem` of the rule's `info`, or else by what kind it is.

    A value that is there already is a conflict, as another row is in the way. A foreign key that names nothing is a bad
    value like any other, which the client mends by sending another.
    """
    elements = rule.elements if isinstance(rule, ForeignKeyConstraint) else [rule]
    for named in (rule, *elements):
        if "problem" in named.info:
            problem: Problem = named.info["problem"](pointer)
            return problem
    if isinstance(rule, ForeignKeyConstraint):
        return Invalid([FieldError("names nothing that is stored", pointer=UNSET if pointer is None else pointer)])
    return Conflict(pointer)


def fields_of(rule: Rule) -> list[str]:
    """The columns that a rule looks at."""
    return [str(column.name) for column in rule.columns]


def _pointer(rule: Rule) -> str | None:
    """To the field of a rule on one column; what an expression makes of one speaks for itself."""
    parts = list(rule.expressions if isinstance(rule, Index) else rule.columns)
    return f"/{parts[0].name}" if len(parts) == 1 and isinstance(parts[0], Column) else None


def root_cause(error: BaseException) -> BaseException:
    """The driver's exception below the wrappings of SQLAlchemy and Advanced Alchemy."""
    found, cause = error, error.__cause__
    while cause is not None:
        found = cause if isinstance(cause, DRIVER_ERRORS) else found
        cause = cause.__cause__
    return found
