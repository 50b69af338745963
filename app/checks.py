"""Checks: a decoded object in, a Struct out, or every field that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from app.problems import FieldError

S = TypeVar("S", bound=msgspec.Struct)

_BOUND = re.compile(r"Expected `\w+` (>=|>|<=|<) (\S+)")
_LENGTH = re.compile(r"of length (>=|<=) (\d+)")
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]+)`(?:, got `(?P<got>[^`]+)`)?")
_BOUNDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}
_NOUNS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "object": "an object",
    "array": "an array",
    "datetime": "a date and time (RFC 3339)",
}


class Field(msgspec.Struct, frozen=True):
    """How a field is checked, besides its type: read from the `extra` of its `Meta`."""

    kind: Any
    required: bool
    strip: bool
    check: Callable[[Any], None] | None
    surely: Callable[[str], object] | None
    """Tells quickly, if it is true, that `check` would pass."""


def check(kind: type[S], given: Any, *, strict: bool = True) -> tuple[S | None, dict[str, str]]:
    """Make a `kind` of `given`: the Struct and {}, or None and {field: what is wrong}; the field "" is all of it.

    `strict=False` also reads numbers, booleans and times out of strings, as a query needs.
    """
    if not isinstance(given, dict):
        return None, {"": "must be an object"}
    fields = fields_of(kind)
    wrong = {name: "unknown" for name in given if name not in fields}
    clean: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in given:
            if field.required:
                wrong[name] = "required"
            continue
        try:
            value = _tidy(given[name], field)
            clean[name] = msgspec.convert(value, field.kind, strict=strict)
            if isinstance(clean[name], datetime):
                # Strictly, or else a number would be a time, too.
                clean[name] = _in_utc(msgspec.convert(value, field.kind))
            if field.check is not None and clean[name] is not None:
                field.check(clean[name])
        except ValueError as error:
            wrong[name] = in_words(error)
    return (None, wrong) if wrong else (kind(**clean), wrong)


def as_pointers(wrong: Mapping[str, str], prefix: str = "") -> list[FieldError]:
    """Name each bad field by its JSON pointer, where `~` and `/` are escaped."""
    return [
        FieldError(detail, pointer=f"{prefix}/{_escaped(name)}" if name else prefix) for name, detail in wrong.items()
    ]


def _escaped(name: str) -> str:
    """A name as a part of a JSON pointer; it may hold a lone surrogate, which no answer can."""
    return name.replace("~", "~0").replace("/", "~1").encode(errors="replace").decode()


def _tidy(value: Any, field: Field) -> Any:
    """Strip where the field asks for it; refuse what PostgreSQL cannot store. Raises: ValueError."""
    if not isinstance(value, str):
        return value
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain a lone surrogate") from None
    return value.strip() if field.strip else value


def _in_utc(moment: datetime) -> datetime:
    """Take a time only if it is one in UTC, too, as PostgreSQL keeps it. Raises: ValueError."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999 (UTC)") from None


@lru_cache(64)
def fields_of(kind: type[msgspec.Struct]) -> dict[str, Field]:
    return {field.encode_name: _field(field) for field in msgspec.structs.fields(kind)}


def _field(field: msgspec.structs.FieldInfo) -> Field:
    extra = _extra(msgspec.inspect.type_info(field.type))
    return Field(
        kind=field.type,
        required=field.required,
        strip=bool(extra.get("strip")),
        check=extra.get("check"),
        surely=extra.get("surely"),
    )


def _extra(described: msgspec.inspect.Type) -> dict[str, Any]:
    if isinstance(described, msgspec.inspect.Metadata):
        return {**(described.extra or {}), **_extra(described.type)}
    if isinstance(described, msgspec.inspect.UnionType):
        return {key: value for member in described.types for key, value in _extra(member).items()}
    return {}


def in_words(error: ValueError) -> str:
    """What is wrong, without the rejected value and without the decoder's jargon."""
    text = str(error)
    if length := _LENGTH.search(text):
        bound = "at least" if length[1] == ">=" else "at most"
        return f"{bound} {length[2]} character{'' if length[2] == '1' else 's'}"
    if limit := _BOUND.search(text):
        return f"{_BOUNDS[limit[1]]} {limit[2]}"
    if (expected := _EXPECTED.search(text)) and expected["got"]:
        wanted = [_NOUNS.get(name.strip(), name.strip()) for name in expected["wanted"].split("|")]
        return f"must be {' or '.join(wanted)}"
    if "RFC3339" in text or "timezone" in text:
        return "must be a date and time with an offset (RFC 3339)"
    return text[0].lower() + text[1:].split(" - at ")[0].replace("`", "")
