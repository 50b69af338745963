"""Dataset: what of a resource can be imported and exported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from app.passwords import Passwords


class Dataset(Struct, frozen=True):
    table: str
    kind: type[Struct]
    """What a record of a file is made of."""
    columns: tuple[str, ...]
    """Fields of the kind that are imported."""
    exported: tuple[str, ...]
    secret: tuple[str, ...] = ()
    """Columns that are exported only when they are asked for."""
    rule: Callable[[Any], str | None] = lambda _: None
    """What is wrong with a record besides its fields."""
    is_slow: Callable[[Any], bool] = lambda _: False
    """Whether a record takes long to `complete`; a hundred of those are a batch."""
    complete: Callable[[Any, Passwords], Awaitable[Any]] | None = None
    """Adds to a slow record what its columns still lack."""
