"""Errors: the driver's exception behind the wrappings, and the problem that its SQLSTATE means."""

from __future__ import annotations

from asyncpg import InvalidCachedStatementError, PostgresError
from sqlalchemy import Constraint, Index
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.database.connector import LOST
from app.database.model import Model
from app.problems import Conflict, FieldError, Invalid, Problem, Unavailable

# SQLSTATEs after which the same request may succeed: connection, a transaction that took too long, a role or a database
# that is not there yet, serialization, resources, operator, system.
_PASSING = ("08", "25P03", "25P04", "28", "3D", "40", "53", "55", "57", "58")

# The same, but the database does answer: what it says, and the code.
_REFUSALS = {
    "25006": ("The database takes no writes", "read_only"),
    "42501": ("The role of the service lacks a right in the database", "database_unavailable"),
    "42P01": ("The schema is not the one that this version needs", "schema_outdated"),
    "57014": ("A statement took too long and was stopped", "statement_timeout"),
}

# A byte sequence that is no text, and a character that the database's encoding does not have.
_NOT_STORABLE = frozenset({"22021", "22P05"})

# Restricted, foreign key, unique, exclusion: what another row says; the rest of class 23 should not come this far.
_CONFLICTS = frozenset({"23001", "23503", "23505", "23P01"})

RAISED_BELOW = (PoolTimeout, *LOST)
"""What the driver and the pool raise."""


def database_problem(error: BaseException) -> Problem | None:
    root = root_of(error)
    if isinstance(root, PoolTimeout):
        return Unavailable("No database connection became free in time", code="pool_timeout")
    if isinstance(root, PostgresError):
        return _from_sqlstate(root)
    # What is left of an outage has no SQLSTATE: refused, reset, timed out, or a driver that lost its peer; but a value
    # that the driver does not take is a ValueError, too.
    if isinstance(root, RAISED_BELOW) and not isinstance(root, ValueError):
        return Unavailable()
    return None


def _from_sqlstate(error: PostgresError) -> Problem | None:
    state = str(error.sqlstate or "")
    if state in _CONFLICTS:
        return _problem_of(error)
    if state in _NOT_STORABLE:
        return Invalid([FieldError("holds a character that the database cannot store")])
    if isinstance(error, InvalidCachedStatementError):
        # SQLAlchemy has dropped all plans by now; the transaction has failed, and nothing of it was stored.
        return Unavailable("The schema changed a moment ago")
    if refusal := _REFUSALS.get(state):
        return Unavailable(refusal[0], code=refusal[1])
    if state.startswith(_PASSING):
        return Unavailable()
    return None


def _problem_of(error: PostgresError) -> Problem:
    """What an index or a constraint calls its violation, by the `problem` of its `info`."""
    table = Model.metadata.tables.get(str(getattr(error, "table_name", "")))
    rules: list[Index | Constraint] = [*table.indexes, *table.constraints] if table is not None else []
    for rule in rules:
        if rule.name == getattr(error, "constraint_name", None) and "problem" in rule.info:
            problem: Problem = rule.info["problem"]()
            return problem
    return Conflict()


def root_of(error: BaseException) -> BaseException:
    """The driver's exception below the wrappings of SQLAlchemy and Advanced Alchemy."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, RAISED_BELOW):
        found = found.__cause__
    return found or error
