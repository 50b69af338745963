"""Validator: a decoded object in, a Struct out, or every field that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

import msgspec

from app.problems import MOST_ERRORS
from app.validation.messages import to_message
from app.validation.pointers import Whole
from app.validation.texts import readable, storable, whole_number

S = TypeVar("S", bound=msgspec.Struct)


class Field(msgspec.Struct, frozen=True):
    """How a field is checked, besides its type: read from the `extra` of its `Meta`."""

    kind: Any
    required: bool
    is_integer: bool
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


def check(kind: type[S], raw: Any, *, strict: bool = True) -> tuple[S | None, dict[str, str]]:
    """Make a `kind` of `raw`: the Struct and {}, or None and {field: what is wrong}.

    `strict=False` also reads numbers, booleans and times out of strings, as a query needs.
    """
    if not isinstance(raw, dict):
        return None, {Whole(): "must be an object"}
    fields = fields_of(kind)
    unknown = (name for name in raw if name not in fields)
    errors = dict.fromkeys(islice(unknown, MOST_ERRORS), "unknown")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in raw:
            if field.required:
                errors[name] = "required"
            continue
        try:
            values[name] = _value(raw[name], field, strict=strict)
        except ValueError as error:
            errors[name] = to_message(error, words=field.words, choices=field.choices)
    return (None, errors) if errors else (kind(**values), errors)


def _value(raw: Any, field: Field, *, strict: bool) -> Any:
    """Raises: ValueError."""
    try:
        raw = _tidy(raw, field)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if isinstance(raw, str) and field.is_integer and not strict:
        raw = whole_number(raw)
    value = msgspec.convert(raw, field.kind, strict=strict)
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError("must be a number")
    if isinstance(value, datetime):
        # Strictly, or else a number would be a time, too.
        return in_utc(msgspec.convert(raw, field.kind))
    if field.check is not None and value is not None:
        field.check(value)
    return value if field.adapt is None or value is None else field.adapt(value)


def _tidy(raw: Any, field: Field) -> Any:
    """What was decoded, with every text in it tidied. Raises: ValueError."""
    if isinstance(raw, list):
        return [_tidy(item, field) for item in raw]
    if isinstance(raw, dict):
        return {_tidy(name, field): _tidy(item, field) for name, item in raw.items()}
    if not isinstance(raw, str):
        return raw
    text = readable(raw) if field.readable else storable(raw)
    # Before a line feed at the end, too, a dollar sign matches, though not to those who read the document.
    if text.endswith("\n") and field.pattern and not re.search(re.sub(r"\$\Z", r"\\Z", field.pattern), text):
        raise ValueError("matching regex")
    return text


def in_utc(moment: datetime) -> datetime:
    """Take a time only if it is one in UTC, too, as PostgreSQL keeps it. Raises: ValueError."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999 (UTC)") from None


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
