"""Cursors: the sort keys of a row, packed into one opaque text, and whatever comes back for one unpacked with care."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from app.problems import FieldError, Invalid
from app.validation.texts import storable
from app.validation.validator import in_utc

_AS_STORED: dict[type, Any] = {
    int: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    datetime: Annotated[datetime, Meta(tz=True)],
}


def encode_cursor(values: Sequence[Any], bound_to: Iterable[Any]) -> str:
    """Pack the sort keys of the last row, with a check sum that also covers the sort and the filters."""
    payload = msgspec.msgpack.encode(values)
    return _text(_check_sum(payload, bound_to) + payload)


def decode_cursor(cursor: str, kinds: Sequence[type], bound_to: Iterable[Any]) -> list[Any]:
    """Unpack a cursor into values of `kinds`. Raises: Invalid, for one that is damaged or was made otherwise.

    The check sum finds accidents. It is no signature, so the values are checked like any other input.
    """
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        payload = raw[8:]
        if raw[:8] != _check_sum(payload, bound_to) or _text(raw) != cursor:
            raise ValueError
        stored: Any = tuple[tuple(_AS_STORED.get(kind, kind) for kind in kinds)]  # type: ignore[misc]
        return [_key(value) for value in msgspec.msgpack.decode(payload, type=stored)]
    except ValueError:
        raise Invalid([FieldError("not a cursor of this list", parameter="cursor")], code="invalid_cursor") from None


def _key(value: Any) -> Any:
    """Raises: ValueError."""
    if isinstance(value, str):
        return storable(value)
    return in_utc(value) if isinstance(value, datetime) else value


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _check_sum(payload: bytes, bound_to: Iterable[Any]) -> bytes:
    return blake2b(payload, digest_size=8, key=blake2b(repr(list(bound_to)).encode()).digest()).digest()
