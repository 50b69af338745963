"""Cursors: the sort keys of a row, packed into one opaque text, and whatever comes back for one unpacked with care."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from app.problems import FieldError, Invalid
from app.validation.texts import storable
from app.validation.validator import in_utc

_AS_STORED: dict[type, Any] = {
    **{kind: kind for kind in (bool, float, str, Decimal, date, time, UUID)},
    int: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    datetime: Annotated[datetime, Meta(tz=True)],
}


def encode_cursor(values: Sequence[Any], bound_to: Iterable[Any]) -> str:
    """Pack the sort keys of the last row, with a check sum that also covers the sort and the filters."""
    payload = msgspec.msgpack.encode(values)
    return _text(_check_sum(payload, bound_to) + payload)


def key_type(kind: type, *, nullable: bool) -> Any:
    """What a sort key of this type is in a cursor. Raises: TypeError, for one that cannot be in any."""
    if (stored := _AS_STORED.get(str if issubclass(kind, Enum) else kind)) is None:
        raise TypeError(f"a list cannot be sorted by a {kind.__name__}")
    return stored | None if nullable else stored


def decode_cursor(cursor: str, kinds: Sequence[Any], bound_to: Iterable[Any]) -> list[Any]:
    """Unpack a cursor into values of `kinds`, each a `key_type`. Raises: Invalid, if it was damaged or made otherwise.

    The check sum finds accidents. It is no signature, so the values are checked like any other input.
    """
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        payload = raw[8:]
        if raw[:8] != _check_sum(payload, bound_to) or _text(raw) != cursor:
            raise ValueError
        stored: Any = tuple[tuple(kinds)]  # type: ignore[misc]
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
