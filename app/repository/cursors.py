"""Cursors: the sort keys of a row, packed into one opaque text, and whatever comes back for one unpacked with care."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta
from msgspec.msgpack import Decoder, Encoder
from sqlalchemy.types import NullType

from app.problems import FieldError, Invalid
from app.repository.columns import Sortable, may_be_null
from app.validation.texts import storable
from app.validation.validator import in_utc

_AS_STORED: dict[type, Any] = {
    **{kind: kind for kind in (bool, float, str, Decimal, date, time, UUID)},
    int: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    datetime: Annotated[datetime, Meta(tz=True)],
}

_pack = Encoder().encode


def belonging_to(*what: Any) -> bytes:
    """The mark of what a cursor belongs to: it means nothing in another order or among other rows."""
    return blake2b(repr(list(what)).encode()).digest()


def encode_cursor(values: Sequence[Any], mark: bytes) -> str:
    """Pack the sort keys of the last row, with a check sum that also covers the sort and the filters."""
    payload = _pack(values)
    return _text(_check_sum(payload, mark) + payload)


def key_type(kind: type, *, nullable: bool) -> Any:
    """What a sort key of this type is in a cursor. Raises: TypeError, for one that cannot be in any."""
    if (stored := _AS_STORED.get(str if issubclass(kind, Enum) else kind)) is None:
        raise TypeError(f"a list cannot be sorted by a {kind.__name__}")
    return stored | None if nullable else stored


def key_type_of(key: Sortable) -> Any:
    """Raises: TypeError."""
    if isinstance(key.type, NullType):
        raise TypeError(f"{key} needs a type beside its foreign key")
    return key_type(key.type.python_type, nullable=may_be_null(key))


def decoder_of(kinds: Sequence[Any]) -> Decoder[Any]:
    """Reads the keys of a cursor, each a `key_type`."""
    return Decoder(tuple[tuple(kinds)])  # type: ignore[misc]


def decode_cursor(cursor: str, decoder: Decoder[Any], mark: bytes) -> tuple[Any, ...]:
    """Unpack a cursor. Raises: Invalid, if it was damaged or belongs elsewhere.

    The check sum finds accidents. It is no signature, so the values are checked like any other input.
    """
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        payload = raw[8:]
        if raw[:8] != _check_sum(payload, mark) or _text(raw) != cursor:
            raise ValueError
        return tuple(map(_key, decoder.decode(payload)))
    except ValueError:
        raise Invalid([FieldError("not a cursor of this list", parameter="cursor")], code="invalid_cursor") from None


def _key(value: Any) -> Any:
    """Raises: ValueError."""
    if isinstance(value, str):
        return storable(value)
    return in_utc(value) if isinstance(value, datetime) else value


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _check_sum(payload: bytes, mark: bytes) -> bytes:
    return blake2b(payload, digest_size=8, key=mark).digest()
