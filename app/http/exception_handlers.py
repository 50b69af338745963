"""Exception handlers: every exception becomes one problem+json answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from advanced_alchemy.exceptions import NotFoundError
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from sqlalchemy.orm.exc import StaleDataError

from app.database.errors import database_problem
from app.database.failures import brief
from app.http.problem_details import problem_response
from app.problems import FieldError, Invalid, Malformed, Missing, PreconditionFailed, Problem, Unavailable, title
from app.validation.messages import to_message

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


def handle_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn whatever a request raised into the response that its client gets."""
    return problem_response(logged_problem(error, request.scope))


def logged_problem(error: Exception, scope: Mapping[str, Any]) -> Problem:
    """The problem behind what a request raised; a defect is logged with its frames, an outage in one short line."""
    problem = to_problem(error)
    where = {"status": problem.status, "code": problem.code, "method": scope["method"], "path": scope["path"]}
    if isinstance(problem, Unavailable):
        _log.warning("unavailable", **where, **brief(error))
    elif problem.status >= 500:
        _log.error("defect", **where, exc_info=error)
    return problem


def to_problem(error: BaseException) -> Problem:
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
    return database_problem(error) or Problem()


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
        # Every GET answers HEAD, which the middleware sees to and Litestar does not know.
        problem.headers["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    return problem


def _field_error(item: dict[str, Any]) -> FieldError:
    key, detail = str(item.get("key", "")), to_message(ValueError(item.get("message", "not acceptable")))
    return FieldError(detail, header=key) if item.get("source") == "header" else FieldError(detail, parameter=key)
