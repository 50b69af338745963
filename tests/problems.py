"""Problems: what an error answer must hold, whole."""

from __future__ import annotations

from typing import Any

import httpx

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    418: "I'm a Teapot",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def problem(status: int, code: str, detail: str, *errors: dict[str, str]) -> dict[str, Any]:
    """The body of an RFC 9457 answer, but for the request id."""
    body = {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": detail,
        "code": code,
    }
    return {**body, "errors": list(errors)} if errors else body


def invalid(*errors: dict[str, str], code: str = "validation_error") -> dict[str, Any]:
    """A 422 that names these fields."""
    count = len(errors)
    return problem(422, code, f"{count} field{' is' if count == 1 else 's are'} invalid", *errors)


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """The body of an error answer without its request id, which must be the header's."""
    body: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert body.pop("request_id") == answer.headers["x-request-id"]
    assert body["status"] == answer.status_code
    return body
