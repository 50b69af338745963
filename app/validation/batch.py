"""Arrays: many decoded rows in, Structs out, or what is wrong with each bad row.

A thousand good rows cost a millisecond or two: they are looked at column by column, which leaves the loops to C.
Only a row that looks odd is checked by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from operator import attrgetter, not_
from time import perf_counter
from typing import Any, TypeVar

import msgspec

from app.problems import MOST_ERRORS, FieldError, Invalid
from app.validation.texts import is_readable, storable
from app.validation.validator import Field, as_pointers, check, fields_of

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

_PLAIN = (bool, int, float, type(None), msgspec.UnsetType)
_TURN = 0.002
"""Seconds that the work of one request may hold up all others."""


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """Go through items and let everybody else have a turn in between."""
    until = perf_counter() + _TURN
    for item in items:
        yield item
        if perf_counter() > until:
            await asyncio.sleep(0)
            until = perf_counter() + _TURN


async def check_rows(kind: type[S], given: Sequence[Any]) -> list[S]:
    """Make a `kind` of every row. Raises: Invalid, with the first hundred errors, named like `/3/email`."""
    made, odd = _at_once(kind, given)
    errors: list[FieldError] = []
    async for place in in_turns(odd):
        made[place], wrong = _by_itself(kind, given[place])
        errors += as_pointers(wrong, f"/{place}")
        if len(errors) >= MOST_ERRORS:
            break
    if errors:
        raise Invalid(errors)
    return [row for row in made if row is not None]


def sift(kind: type[S], given: Sequence[Any]) -> tuple[list[S | None], dict[int, dict[str, str]]]:
    """Tell good rows, as Structs, from bad ones, as None and {place: {field: what is wrong}}."""
    made, odd = _at_once(kind, given)
    wrong: dict[int, dict[str, str]] = {}
    for place in odd:
        made[place], found = _by_itself(kind, given[place])
        if found:
            wrong[place] = found
    return made, wrong


def _at_once(kind: type[S], given: Sequence[Any]) -> tuple[list[S | None], list[int]]:
    """Make a `kind` of each row that is one, and tell the places of those that have to be checked by themselves.

    A row is a `kind` already, or whatever was decoded for one.
    """
    made = [row if type(row) is kind else _convert(kind, row) for row in given]
    return made, sorted(_odd_places(kind, made))


def _by_itself(kind: type[S], row: Any) -> tuple[S | None, dict[str, str]]:
    return check(kind, msgspec.structs.asdict(row) if type(row) is kind else row)


def _convert(kind: type[S], row: Any) -> S | None:
    try:
        return msgspec.convert(row, kind)
    except ValueError:
        return None


def _odd_places(kind: type[S], made: Sequence[S | None]) -> set[int]:
    """The places of what is no `kind` yet, or may not be one when it is tidied and checked."""
    odd = {place for place, row in enumerate(made) if row is None}
    places = [place for place, row in enumerate(made) if row is not None] if odd else range(len(made))
    rows = [made[place] for place in places] if odd else made
    for name, field in fields_of(kind).items():
        values = list(map(attrgetter(name), rows))
        given: Sequence[int] = places
        if set(map(type, values)) != {str}:
            odd |= {place for place, value in zip(places, values, strict=True) if not _is_plain(field, value)}
            given = [place for place, value in zip(places, values, strict=True) if isinstance(value, str)]
            values = [value for value in values if isinstance(value, str)]
        odd |= {given[index] for index in _odd_texts(field, values)}
    return odd


def _is_plain(field: Field, value: Any) -> bool:
    """Whether there is nothing to check but what its type is; of texts `_odd_texts` tells."""
    return isinstance(value, str) or (field.check is None and isinstance(value, _PLAIN))


def _odd_texts(field: Field, texts: list[str]) -> set[int]:
    odd: set[int] = set()
    together = "".join(texts)
    if not (together.isascii() and together.isprintable()):
        odd |= _where(map(not_, map(is_readable if field.readable else _is_storable, texts)))
    if field.readable and (stripped := list(map(str.strip, texts))) != texts:
        odd |= _where(text != short for text, short in zip(texts, stripped, strict=True))
    if field.check is not None:
        odd |= set(range(len(texts)))
    if field.pattern is not None:
        odd |= _where(text.endswith("\n") for text in texts)
    if field.adapt is not None:
        odd |= set(range(len(texts))) if field.surely is None else _where(map(not_, map(field.surely, texts)))
    return odd


def _where(claims: Iterable[bool]) -> set[int]:
    return {index for index, claim in enumerate(claims) if claim}


def _is_storable(text: str) -> bool:
    try:
        return storable(text) is text
    except ValueError:
        return False
