"""Validator: a decoded object in, a Struct out, or every field that is wrong with it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

import msgspec

from app.problems import MOST_ERRORS
from app.validation.inspection import Field, fields_of
from app.validation.messages import to_message
from app.validation.pointers import Whole
from app.validation.texts import MOST_DIGITS, is_whole_number, readable, storable

S = TypeVar("S", bound=msgspec.Struct)


def check(kind: type[S], raw: Any, *, strict: bool = True) -> tuple[S | None, dict[str, str]]:
    """Make a `kind` of `raw`: the Struct and {}, or None and {field: what is wrong}.

    `strict=False` also reads numbers, booleans, times and lists (with commas) out of strings, as a query needs.
    """
    if not isinstance(raw, dict):
        return None, {Whole(): "must be an object"}
    fields = fields_of(kind)
    fixed = getattr(kind, "fixed", ())
    unknown = islice((name for name in raw if name not in fields), MOST_ERRORS)
    errors = {name: "cannot be changed" if name in fixed else "unknown" for name in unknown}
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in raw:
            if field.required:
                errors[name] = "required"
            continue
        try:
            values[name] = _value(raw[name], field, strict=strict)
        except ValueError as error:
            errors[name] = to_message(error, raw[name], words=field.words, choices=field.choices)
    return (None, errors) if errors else (kind(**values), errors)


def _value(raw: Any, field: Field, *, strict: bool) -> Any:
    """Raises: ValueError."""
    try:
        raw = _tidy(raw, field)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if isinstance(raw, str) and not strict:
        raw = _read(raw, field)
    value = msgspec.convert(raw, field.kind, strict=strict)
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError("must be a number")
    if isinstance(value, datetime):
        # Strictly, or else a number would be a time, too.
        return in_utc(msgspec.convert(raw, field.kind))
    if field.check is not None and value is not None:
        field.check(value)
    return value if field.adapt is None or value is None else field.adapt(value)


def _read(text: str, field: Field) -> str | list[str]:
    """What a query holds, taken apart where it is a list. Raises: ValueError."""
    parts = text.split(",") if field.is_list else [text]
    if field.is_integer and not all(map(is_whole_number, parts)):
        raise ValueError(f"must be {'whole numbers, separated by commas' if field.is_list else 'a whole number'}")
    parts = [part[:MOST_DIGITS] for part in parts] if field.is_integer else parts
    return parts if field.is_list else parts[0]


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
