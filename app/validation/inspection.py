"""Inspection: how the fields of a Struct are checked, read from their types once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec


class Field(msgspec.Struct, frozen=True):
    """How a field is checked, besides its type: read from the `extra` of its `Meta`."""

    kind: Any
    required: bool
    is_integer: bool
    """Or a list of integers."""
    is_list: bool
    is_moment: bool
    readable: bool
    """Whether people read it."""
    check: Callable[[Any], None] | None
    adapt: Callable[[Any], Any] | None
    """Checks, too, and returns what is taken instead."""
    matches: Callable[[str], object] | None
    """Tells quickly, if it is true, that `adapt` would return the same."""
    pattern: str | None
    words: str | None
    """What is said of a text that does not match the pattern."""
    choices: tuple[Any, ...]


@lru_cache(64)
def fields_of(kind: type[msgspec.Struct]) -> dict[str, Field]:
    return {field.encode_name: _field(field) for field in msgspec.structs.fields(kind)}


def _field(field: msgspec.structs.FieldInfo) -> Field:
    parts = list(_parts(msgspec.inspect.type_info(field.type)))
    extra: dict[str, Any] = {}
    choices: tuple[Any, ...] = ()
    for part in parts:
        extra |= (part.extra or {}) if isinstance(part, msgspec.inspect.Metadata) else {}
        if isinstance(part, msgspec.inspect.LiteralType):
            choices += part.values
        elif isinstance(part, msgspec.inspect.EnumType):
            choices += tuple(member.value for member in part.cls)
    return Field(
        kind=field.type,
        required=field.required,
        is_integer=any(isinstance(part, msgspec.inspect.IntType) for part in parts),
        is_moment=any(isinstance(part, msgspec.inspect.DateTimeType) for part in parts),
        is_list=any(isinstance(part, msgspec.inspect.CollectionType) for part in parts),
        readable=bool(extra.get("readable")),
        check=extra.get("check"),
        adapt=extra.get("adapt"),
        matches=extra.get("matches"),
        pattern=next((part.pattern for part in parts if isinstance(part, msgspec.inspect.StrType)), None),
        words=extra.get("words"),
        choices=choices,
    )


def _parts(described: msgspec.inspect.Type) -> Iterator[msgspec.inspect.Type]:
    yield described
    if isinstance(described, msgspec.inspect.Metadata):
        yield from _parts(described.type)
    elif isinstance(described, msgspec.inspect.UnionType):
        for member in described.types:
            yield from _parts(member)
    elif isinstance(described, msgspec.inspect.CollectionType):
        yield from _parts(described.item_type)
