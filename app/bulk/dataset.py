"""Dataset: what of a resource can be imported and exported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from app.bulk.importer import Target
from app.passwords import Passwords
from app.validation.validator import in_utc

Moment = Annotated[datetime, Meta(tz=True)]


class Dataset(Struct, frozen=True):
    name: str
    target: Callable[[Passwords], Target]
    exported: tuple[str, ...]
    secret: tuple[str, ...] = ()
    """Columns that are exported only when they are asked for."""


def impossible_time(record: Any) -> str | None:
    """What is wrong with `created_at`, which the parser has seen, but not compared with what can be stored."""
    if record.created_at is not None:
        try:
            in_utc(record.created_at)
        except ValueError as error:
            return f"created_at: {error}"
    return None
