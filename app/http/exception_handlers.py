"""Errors: every exception becomes one problem+json answer, database errors by SQLSTATE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from advanced_alchemy.exceptions import NotFoundError
from asyncpg import InterfaceError, InternalClientError, InvalidCachedStatementError, PostgresError
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from app.logs import describe, request_id
from app.problems import (
    Conflict,
    EmailTaken,
    FieldError,
    Invalid,
    Malformed,
    Missing,
    PreconditionFailed,
    Problem,
    Unavailable,
    title,
)
from app.validation.validator import in_words

PROBLEM_JSON = "application/problem+json"

_log = structlog.get_logger("app.errors")
_CODES = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}
# SQLSTATEs after which the same request may succeed: connection, a transaction that took too long, a role or a database
# that is not there yet, serialization, resources, operator, system.
_PASSING = ("08", "25P03", "25P04", "28", "3D", "40", "53", "55", "57", "58")
# The same, but the database does answer: what it says, and the code.
_REFUSALS = {
    "25006": ("The database takes no writes", "read_only"),
    "42P01": ("The schema is not the one that this version needs", "schema_outdated"),
    "57014": ("A statement took too long and was stopped", "statement_timeout"),
}
# A byte sequence that is no text, and a character that the database's encoding does not have.
_NOT_STORABLE = frozenset({"22021", "22P05"})
# Restricted, foreign key, unique, exclusion: what another row says; the rest of class 23 should not come this far.
_CONFLICTS = frozenset({"23001", "23503", "23505", "23P01"})
RAISED_BELOW = (PoolTimeout, PostgresError, OSError, InterfaceError, InternalClientError)
"""What the driver and the pool raise."""


class ProblemBody(msgspec.Struct, kw_only=True, omit_defaults=True, rename={"kind": "type"}):
    """An RFC 9457 problem."""

    kind: str = msgspec.field(default_factory=lambda: "about:blank")
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] = []


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn whatever a request raised into the response that its client gets."""
    problem = explain(error, request.scope)
    return Response(
        problem_body(problem),
        status_code=problem.status,
        media_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store", **problem.headers},
    )


def problem_body(problem: Problem) -> bytes:
    """Encode a problem as RFC 9457 wants it."""
    return msgspec.json.encode(
        ProblemBody(
            title=title(problem.status),
            status=problem.status,
            detail=problem.detail,
            code=problem.code,
            request_id=request_id.get(),
            errors=problem.errors,
        )
    )


def explain(error: Exception, scope: Mapping[str, Any]) -> Problem:
    """The problem behind what a request raised; a defect is logged with its frames, an outage in one short line."""
    problem = to_problem(error)
    where = {"status": problem.status, "code": problem.code, "method": scope["method"], "path": scope["path"]}
    if isinstance(problem, Unavailable):
        _log.warning("unavailable", cause=describe(root_of(error))["exception"], **where)
    elif problem.status >= 500:
        _log.error("defect", **where, **describe(error))
    return problem


def to_problem(error: BaseException) -> Problem:
    """Find the problem behind an exception."""
    if isinstance(error, Problem):
        return error
    # Litestar wraps what a dependency raises while it cleans up.
    if isinstance(error, BaseExceptionGroup):
        return to_problem(error.exceptions[0])
    if isinstance(error, HTTPException):
        return _from_http(error)
    if isinstance(error, NotFoundError):
        return Missing()
    if isinstance(error, StaleDataError):
        return PreconditionFailed()
    return _from_database(error) or Problem()


def _from_http(error: HTTPException) -> Problem:
    if isinstance(error, ValidationException):
        extra = [item for item in error.extra or [] if isinstance(item, dict)] if isinstance(error.extra, list) else []
        if any(item.get("key") == "data" for item in extra):
            return Malformed("A JSON body is required")
        return Invalid([_field_error(item) for item in extra] or [FieldError("not acceptable")])
    if error.status_code >= 500:
        return Problem()
    problem = Problem(title(error.status_code), code=_CODES.get(error.status_code, "malformed_request"))
    problem.status = error.status_code
    problem.headers = {name.title(): value for name, value in (error.headers or {}).items()}
    if allowed := set(problem.headers.get("Allow", "").split(", ")) - {""}:
        # Every GET answers HEAD, which the edge sees to and Litestar does not know.
        problem.headers["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    return problem


def _field_error(item: dict[str, Any]) -> FieldError:
    key, detail = str(item.get("key", "")), in_words(ValueError(item.get("message", "not acceptable")))
    return FieldError(detail, header=key) if item.get("source") == "header" else FieldError(detail, parameter=key)


def _from_database(error: BaseException) -> Problem | None:
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
    if state == "23505" and str(getattr(error, "constraint_name", "")).endswith("_email"):
        return EmailTaken()
    if state in _CONFLICTS:
        return Conflict()
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


def root_of(error: BaseException) -> BaseException:
    """The driver's exception below the wrappings of SQLAlchemy and Advanced Alchemy."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, RAISED_BELOW):
        found = found.__cause__
    return found or error
