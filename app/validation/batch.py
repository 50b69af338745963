"""Batch: many decoded rows in, Structs out, or what is wrong with each bad row.

A thousand good rows cost a millisecond or two: they are looked at column by column, which leaves the loops to C.
Only a suspect row is checked by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from operator import attrgetter, not_
from time import perf_counter
from typing import Any, TypeVar

import msgspec

from app.problems import MOST_ERRORS, FieldError, Invalid
from app.validation.inspection import Field, fields_of
from app.validation.pointers import to_field_errors
from app.validation.texts import is_readable, storable
from app.validation.validator import check

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

_PLAIN = (bool, int, float, type(None), msgspec.UnsetType)
_TIME_SLICE = 0.002
"""Seconds that the work of one request may hold up all others."""


async def in_time_slices(items: Iterable[T]) -> AsyncIterator[T]:
    """Go through items and let everybody else have a turn in between."""
    until = perf_counter() + _TIME_SLICE
    for item in items:
        yield item
        if perf_counter() > until:
            await asyncio.sleep(0)
            until = perf_counter() + _TIME_SLICE


async def check_rows(kind: type[S], raw_rows: Sequence[Any]) -> list[S]:
    """Make a `kind` of every row. Raises: Invalid, with the first hundred errors, named like `/3/email`."""
    converted, suspects = _convert_rows(kind, raw_rows)
    errors: list[FieldError] = []
    async for place in in_time_slices(suspects):
        converted[place], row_errors = _check_row(kind, raw_rows[place])
        errors += to_field_errors(row_errors, f"/{place}")
        if len(errors) >= MOST_ERRORS:
            break
    if errors:
        raise Invalid(errors)
    return [row for row in converted if row is not None]


def partition_rows(kind: type[S], raw_rows: Sequence[Any]) -> tuple[list[S | None], dict[int, dict[str, str]]]:
    """Tell good rows, as Structs, from bad ones, as None and {place: {field: what is wrong}}."""
    converted, suspects = _convert_rows(kind, raw_rows)
    row_errors: dict[int, dict[str, str]] = {}
    for place in suspects:
        converted[place], found = _check_row(kind, raw_rows[place])
        if found:
            row_errors[place] = found
    return converted, row_errors


def _convert_rows(kind: type[S], raw_rows: Sequence[Any]) -> tuple[list[S | None], list[int]]:
    """Make a `kind` of each row that is one, and the places of the suspects, which have to be checked by themselves.

    A row is a `kind` already, or whatever was decoded for one.
    """
    converted = [row if type(row) is kind else _convert(kind, row) for row in raw_rows]
    return converted, sorted(_suspect_places(kind, converted))


def _check_row(kind: type[S], row: Any) -> tuple[S | None, dict[str, str]]:
    return check(kind, msgspec.structs.asdict(row) if type(row) is kind else row)


def _convert(kind: type[S], row: Any) -> S | None:
    try:
        return msgspec.convert(row, kind)
    except ValueError:
        return None


def _suspect_places(kind: type[S], converted: Sequence[S | None]) -> set[int]:
    """The places of what is no `kind` yet, or may not be one when it is tidied and checked."""
    suspects = {place for place, row in enumerate(converted) if row is None}
    places = [place for place, row in enumerate(converted) if row is not None] if suspects else range(len(converted))
    rows = [converted[place] for place in places] if suspects else converted
    for name, field in fields_of(kind).items():
        values = list(map(attrgetter(name), rows))
        text_places: Sequence[int] = places
        if set(map(type, values)) != {str}:
            suspects |= {place for place, value in zip(places, values, strict=True) if not _is_plain(field, value)}
            text_places = [place for place, value in zip(places, values, strict=True) if isinstance(value, str)]
            values = [value for value in values if isinstance(value, str)]
        suspects |= {text_places[index] for index in _suspect_texts(field, values)}
    return suspects


def _is_plain(field: Field, value: Any) -> bool:
    """Whether there is nothing to check but what its type is; of texts `_suspect_texts` tells."""
    return isinstance(value, str) or (field.check is None and isinstance(value, _PLAIN))


def _suspect_texts(field: Field, texts: list[str]) -> set[int]:
    suspects: set[int] = set()
    together = "".join(texts)
    if not (together.isascii() and together.isprintable()):
        suspects |= _indices(map(not_, map(is_readable if field.readable else _is_storable, texts)))
    if field.readable and (stripped := list(map(str.strip, texts))) != texts:
        suspects |= _indices(text != short for text, short in zip(texts, stripped, strict=True))
    if field.check is not None:
        suspects |= set(range(len(texts)))
    if field.pattern is not None:
        suspects |= _indices(text.endswith("\n") for text in texts)
    if field.adapt is not None:
        suspects |= set(range(len(texts))) if field.matches is None else _indices(map(not_, map(field.matches, texts)))
    return suspects


def _indices(claims: Iterable[bool]) -> set[int]:
    return {index for index, claim in enumerate(claims) if claim}


def _is_storable(text: str) -> bool:
    try:
        return storable(text) is text
    except ValueError:
        return False
