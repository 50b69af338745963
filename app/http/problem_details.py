"""Problem details: a problem as RFC 9457 writes it."""

from __future__ import annotations

import msgspec

from app.logs import request_id
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
