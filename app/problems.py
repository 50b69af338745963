"""Problems: what can go wrong in a request, named; `problem_details` turns each into an RFC 9457 answer."""

from __future__ import annotations

from http import HTTPStatus

from msgspec import UNSET, Struct, UnsetType

MOST_ERRORS = 100
"""Errors that an answer lists: a body of a few kilobytes can hold thousands."""

_TITLES = {
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    416: "Requested Range Not Satisfiable",
    422: "Unprocessable Entity",
}
"""What Python 3.13 calls otherwise."""


def title(status: int) -> str:
    """The name of a status, which clients may compare: the same on every version of Python."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


class FieldError(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a request, and where."""

    detail: str
    pointer: str | UnsetType = UNSET
    """JSON pointer (RFC 6901) into the body."""
    parameter: str | UnsetType = UNSET
    header: str | UnsetType = UNSET


class Problem(Exception):
    """Something that the client is told as problem+json."""

    status: int = 500
    code: str = "internal_error"
    detail: str = "The service has a defect; the request id leads to its log line"
    headers: dict[str, str]
    errors: list[FieldError]

    def __init__(self, detail: str | None = None, *, code: str | None = None) -> None:
        self.detail = detail or self.detail
        self.code = code or self.code
        self.headers = {}
        self.errors = []
        super().__init__(self.detail)


class Malformed(Problem):
    """What cannot be parsed at all."""

    status = 400
    code = "malformed_request"
    detail = "The body is not valid JSON"


class Unauthenticated(Problem):
    """Nobody knows who asks."""

    status = 401
    code = "unauthenticated"
    detail = "A token is needed: Authorization: Bearer"

    def __init__(self, detail: str | None = None, *, challenge: str = "Bearer") -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": challenge}


class Forbidden(Problem):
    status = 403
    code = "forbidden"
    detail = "Forbidden"


class Missing(Problem):
    """There is no such row."""

    status = 404
    code = "not_found"

    def __init__(self, noun: str = "Resource") -> None:
        super().__init__(f"{noun} not found")


class TooSlow(Problem):
    """The body did not come at the pace that it must have."""

    status = 408
    code = "request_timeout"
    detail = "The body took too long to arrive"

    def __init__(self) -> None:
        super().__init__()
        self.headers = {"Connection": "close"}


class Conflict(Problem):
    """Another row is in the way; a constraint with words of its own has a class of its own."""

    status = 409
    code = "conflict"
    detail = "The change conflicts with what is stored"

    def __init__(self, pointer: str | None = None) -> None:
        super().__init__()
        if pointer is not None:
            self.errors = [FieldError(self.detail, pointer=pointer)]


class EmailTaken(Conflict):
    code = "email_taken"
    detail = "Email already registered"


class PreconditionFailed(Problem):
    """`If-Match` names another version than the stored one."""

    status = 412
    code = "precondition_failed"
    detail = "The resource has changed since it was read"


class TooLarge(Problem):
    status = 413
    code = "body_too_large"
    detail = _TITLES[413]


class UnsupportedMediaType(Problem):
    status = 415
    code = "unsupported_media_type"
    detail = "The body must be application/json in UTF-8"


class Invalid(Problem):
    """Parsed, but not acceptable: every bad field at once, or the first hundred."""

    status = 422
    code = "validation_error"

    def __init__(self, errors: list[FieldError], *, code: str | None = None) -> None:
        count = len(errors[:MOST_ERRORS])
        super().__init__(f"{count} field{' is' if count == 1 else 's are'} invalid", code=code)
        self.errors = errors[:MOST_ERRORS]


class Unavailable(Problem):
    """Not now, but perhaps soon."""

    status = 503
    code = "database_unavailable"
    detail = "The database does not answer"

    def __init__(self, detail: str | None = None, *, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.headers = {"Retry-After": "1"}
