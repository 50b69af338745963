"""Dataset: what of a resource can be imported and exported."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from app.bulk.importer import Target
from app.passwords import Passwords


class Dataset(Struct, frozen=True):
    name: str
    target: Callable[[Passwords], Target]
    exported: tuple[str, ...]
    secret: tuple[str, ...] = ()
    """Columns that are exported only when they are asked for."""
