"""Errors: every exception becomes one problem+json answer, database errors by SQLSTATE."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from advanced_alchemy.exceptions import NotFoundError
from asyncpg import InterfaceError, InternalClientError, PostgresError
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from app.checks import in_words
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
)

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
# SQLSTATEs after which the same request may succeed: connection, a primary that is none any more, serialization,
# resources, operator, system; a role or a database that is not there yet.
_PASSING = ("08", "25006", "28", "3D", "40", "53", "55", "57", "58")


# Restricted, foreign key, unique, exclusion: what another row says; the rest of class 23 should not come this far.
_CONFLICTS = frozenset({"23001", "23503", "23505", "23P01"})


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
    problem = to_problem(error)
    if problem.status >= 500:
        report(problem, error, method=request.method, path=request.url.path)
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
            title=HTTPStatus(problem.status).phrase,
            status=problem.status,
            detail=problem.detail,
            code=problem.code,
            request_id=request_id.get(),
            errors=problem.errors,
        )
    )


def report(problem: Problem, error: BaseException, **where: str) -> None:
    """Log a failure of ours: a defect with its frames, an outage in one short line."""
    if isinstance(problem, Unavailable):
        cause = describe(root_of(error))["exception"]
        _log.warning("unavailable", status=problem.status, code=problem.code, cause=cause, **where)
    else:
        _log.error("defect", status=problem.status, code=problem.code, **where, **describe(error))


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
    problem = Problem(HTTPStatus(error.status_code).phrase, code=_CODES.get(error.status_code, "malformed_request"))
    problem.status = error.status_code
    problem.headers = {name.title(): value for name, value in (error.headers or {}).items()}
    if "GET" in (allowed := problem.headers.get("Allow", "")):
        # Every GET answers HEAD, which the edge sees to and Litestar does not know.
        problem.headers["Allow"] = allowed + ", HEAD"
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
    # What is left of an outage has no SQLSTATE: refused, reset, timed out, or a driver that lost its peer.
    if isinstance(root, OSError | asyncio.TimeoutError | InterfaceError | InternalClientError):
        return Unavailable()
    return None


def _from_sqlstate(error: PostgresError) -> Problem | None:
    state = str(error.sqlstate or "")
    if state == "23505" and str(getattr(error, "constraint_name", "")).endswith("_email"):
        return EmailTaken()
    if state in _CONFLICTS:
        return Conflict()
    if state == "57014":
        return Unavailable("A statement took too long and was stopped", code="statement_timeout")
    if state == "42P01":  # a table is missing
        return Unavailable("The schema is not the one that this version needs", code="schema_outdated")
    if state.startswith(_PASSING):
        return Unavailable()
    return None


def root_of(error: BaseException) -> BaseException:
    """The driver's exception below the wrappings of SQLAlchemy and Advanced Alchemy."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, DBAPIError | StatementError):
            driver = getattr(found, "driver_exception", None) or found.orig
            return driver if isinstance(driver, BaseException) else found
        if isinstance(found, PoolTimeout | PostgresError | OSError | asyncio.TimeoutError | InterfaceError):
            return found
        found = found.__cause__
    return error
