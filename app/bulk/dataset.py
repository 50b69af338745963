"""Dataset: what of a resource can be imported and exported."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from app.bulk.mapping import Reader, Terms
from app.credentials.passwords import Passwords
from app.validation.validator import in_utc

_has_zone = re.compile(r"(.{10,})\s+(?:UTC|GMT|Z|([+-]\d\d:?\d\d))").fullmatch
_is_epoch = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}").fullmatch


class Target(Struct, frozen=True):
    """Where records of a `kind` go. Its `columns` are fields of the kind."""

    table: str
    kind: type[Struct]
    columns: tuple[str, ...]
    readers: Mapping[str, Reader] = {}
    flag: str = ""
    flags: Sequence[str] = ()
    """See mapping.Terms."""
    rule: Callable[[Any], str | None] = lambda _: None
    """What is wrong with a record besides its fields."""
    suspect: Callable[[Sequence[Any]], str | None] = lambda _: None
    """What is wrong with a file, as its first records show."""
    secrets: tuple[str, ...] = ()
    """Fields of which a record has one, unless it may do without."""
    defaults: Mapping[str, str] = {}
    """What a column holds if a new record does without, as SQL."""
    blanks: Mapping[str, str] = {}
    """Texts of columns that change nothing which is stored."""
    last: tuple[str, str] = ("", "")
    """The condition of rows, as SQL, of which an update leaves one, and what is said otherwise."""
    is_slow: Callable[[Any], bool] = lambda _: False
    """Whether a record takes long to `complete`; a hundred of those are a batch."""
    complete: Callable[[Any], Awaitable[Any]] | None = None
    """Adds to a slow record what its columns still lack."""

    def terms(self, to_id: Reader | None = None) -> Terms:
        described = [field for field in fields(self.kind) if field.encode_name != self.flag]
        names = [field.encode_name for field in described]
        required = [field.encode_name for field in described if field.required] + (["id"] if to_id else [])
        readers = {"created_at": to_moment, **self.readers} | ({"id": to_id} if to_id else {})
        return Terms(names, required, readers, self.flag, self.flags)


class Dataset(Struct, frozen=True):
    name: str
    target: Callable[[Passwords], Target]
    exported: tuple[str, ...]
    secret: tuple[str, ...] = ()
    """Columns that are exported only when they are asked for."""
    imported: str = ""
    """What a file of them holds, in words."""


def to_moment(given: Any, told: Counter[str]) -> datetime:
    """A time as others write it: ISO 8601, or seconds or milliseconds since 1970. Raises: ValueError."""
    text = str(given).strip()
    try:
        if _is_epoch(text) and not isinstance(given, bool):
            return datetime.fromtimestamp(float(text) / (1 if len(text.partition(".")[0]) < 12 else 1000), UTC)
        if found := _has_zone(text):
            text = found[1] + (found[2] or "Z")
        moment = datetime.fromisoformat(text if len(text) > 10 else "")
    except (ValueError, OverflowError):
        raise ValueError("must be a date and time (ISO 8601)") from None
    if moment.tzinfo is None:
        told["times without an offset were taken for UTC"] += 1
        return moment.replace(tzinfo=UTC)
    return in_utc(moment)


def to_id(given: Any, _: Counter[str]) -> int:
    """Raises: ValueError."""
    text = str(given).strip()
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text) or int(text) > 2**63 - 1:
        raise ValueError("must be a whole number from 1 on, if ids are to be kept")
    return int(text)
