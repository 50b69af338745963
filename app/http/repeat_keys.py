"""Repeat keys: an `Idempotency-Key` as it is read, and what is stored of it and of what comes with it."""

from __future__ import annotations

import re
from hashlib import sha256

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
    if not _is_key(given := given.strip(" \t")):
        detail = "must be 1 to 255 visible ASCII characters, as they are or as a quoted string"
        raise Invalid([FieldError(detail, header="Idempotency-Key")])
    return re.sub(r"\\(.)", r"\1", given[1:-1]) if given[0] == '"' else given


def digest_of(caller: Caller | None, route: str, key: str) -> bytes:
    """What a key is stored as. All who have not signed in are one caller, and keys have to be random."""
    return sha256(f"{caller.id if caller else 0} {route} {key}".encode()).digest()


def fingerprint_of(data: Body | list[Body]) -> bytes:
    """Of what was sent, but for its secrets."""
    if isinstance(data, Body) and data.secret:
        data = structs.replace(data, **dict.fromkeys(data.secret, ""))
    return sha256(msgspec.json.encode(data)).digest()
