"""Dataset: what of a resource can be imported and exported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from app.bulk.mapping import Terms
from app.bulk.values import Reader, is_active, to_moment
from app.credentials.passwords import Passwords


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
        flag: dict[str, Reader] = {self.flag: lambda said, _: all(is_active(*one) for one in said)}
        readers = {"created_at": to_moment, **flag, **self.readers} | ({"id": to_id} if to_id else {})
        return Terms(names, required, readers, self.flag, self.flags)


class Dataset(Struct, frozen=True):
    name: str
    target: Callable[[Passwords], Target]
    exported: tuple[str, ...]
    secret: tuple[str, ...] = ()
    """Columns that are exported only when they are asked for."""
    imported: str = ""
    """What a file of them holds, in words."""
