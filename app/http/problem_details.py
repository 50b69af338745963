"""Problem details: a problem as RFC 9457 writes it."""

from __future__ import annotations

import msgspec
from litestar import Response
from structlog.contextvars import get_contextvars

from app.problems import FieldError, Problem, title

PROBLEM_JSON = "application/problem+json"


class ProblemBody(msgspec.Struct, kw_only=True, omit_defaults=True, rename={"kind": "type"}):
    """An RFC 9457 problem."""

    kind: str = msgspec.field(default_factory=lambda: "about:blank")
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] = []


def problem_body(problem: Problem, current_id: str) -> ProblemBody:
    return ProblemBody(
        title=title(problem.status),
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        request_id=current_id,
        errors=problem.errors,
    )


def problem_response(problem: Problem) -> Response[bytes]:
    body = problem_body(problem, get_contextvars().get("request_id", ""))
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(msgspec.json.encode(body), status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)
