"""Repeat keys: an `Idempotency-Key` as it is read, and what is stored of it and of what comes with it."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import structs

from app.http.dependencies import AnyRequest
from app.http.etags import header_value
from app.http.openapi import REPEAT_KEY
from app.problems import FieldError, Invalid, Problem
from app.repository.schemas import Body, Caller

_is_key = re.compile(REPEAT_KEY).fullmatch


class KeyReused(Problem):
    """A key that came with something else before."""

    status = 422
    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used for another request"

    def __init__(self) -> None:
        super().__init__()
        self.errors = [FieldError("must be new for each request that is not a repeat", header="Idempotency-Key")]


def key_of(request: AnyRequest) -> str | None:
    """The key of a request, if it has one. Raises: Invalid."""
    if (given := header_value(request, b"idempotency-key")) is None:
        return None
    if not _is_key(given):
        detail = "must be 1 to 255 visible ASCII characters, as they are or as a quoted string"
        raise Invalid([FieldError(detail, header="Idempotency-Key")])
    return re.sub(r"\\(.)", r"\1", given[1:-1]) if given[0] == '"' else given


def digest_of(caller: Caller | None, route: str, key: str) -> bytes:
    """What a key is stored as. All who have not signed in are one caller, and keys have to be random."""
    return sha256(f"{caller.id if caller else 0} {route} {key}".encode()).digest()


def fingerprint_of(data: Body | list[Body], *path: Any) -> bytes:
    """Of what was sent, and of the parameters of its path."""
    items = data if isinstance(data, list) else [data]
    compared = items and msgspec.convert(items, _compared(type(items[0])), from_attributes=True)
    return sha256(msgspec.json.encode([compared, *path])).digest()


@cache
def _compared(kind: type[Body]) -> Any:
    """Lists of what is compared of a body: nothing secret, and nothing that was not sent, or a version which knows more
    fields would not find what was sent to another."""
    fields = [
        # One of both is always NODEFAULT.
        (one.name, Any, msgspec.field(default=one.default, default_factory=one.default_factory))  # type: ignore[call-overload]
        for one in structs.fields(kind)
        if one.name not in kind.secret
    ]
    return list[msgspec.defstruct(kind.__name__, fields, omit_defaults=True, kw_only=True)]  # type: ignore[misc]
