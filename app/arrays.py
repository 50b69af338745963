"""Arrays: many decoded rows in, Structs out, or what is wrong with each bad row.

A thousand good rows cost a millisecond or two: they are looked at column by column, which leaves the loops to C.
Only a row that looks odd is checked by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter, not_
from typing import Any, TypeVar

import msgspec

from app.checks import Field, as_pointers, check, fields_of
from app.problems import Invalid

S = TypeVar("S", bound=msgspec.Struct)

MOST_ERRORS = 100


def check_rows(kind: type[S], given: Sequence[Any]) -> list[S]:
    """Make a `kind` of every row. Raises: Invalid, with the first hundred errors, named like `/3/email`."""
    made, wrong = sift(kind, given, most_errors=MOST_ERRORS)
    if wrong:
        errors = [error for place, fields in wrong.items() for error in as_pointers(fields, f"/{place}")]
        raise Invalid(errors[:MOST_ERRORS])
    return [row for row in made if row is not None]


def sift(
    kind: type[S], given: Sequence[Any], *, most_errors: int | None = None
) -> tuple[list[S | None], dict[int, dict[str, str]]]:
    """Tell good rows, as Structs, from bad ones, as None and {place: {field: what is wrong}}.

    A row is a `kind` already, or whatever was decoded for one. Ends once it has found `most_errors`.
    """
    made = [row if type(row) is kind else _convert(kind, row) for row in given]
    wrong: dict[int, dict[str, str]] = {}
    errors = 0
    for place in sorted(_odd_places(kind, made)):
        row = given[place]
        made[place], found = check(kind, msgspec.structs.asdict(row) if type(row) is kind else row)
        if found:
            wrong[place] = found
            errors += len(found)
            if most_errors is not None and errors >= most_errors:
                break
    return made, wrong


def _convert(kind: type[S], row: Any) -> S | None:
    try:
        return msgspec.convert(row, kind)
    except ValueError:
        return None


def _odd_places(kind: type[S], made: Sequence[S | None]) -> set[int]:
    """The places of what is no `kind` yet, or may not be one when it is stripped and checked."""
    odd = {place for place, row in enumerate(made) if row is None}
    places = [place for place, row in enumerate(made) if row is not None] if odd else range(len(made))
    rows = [made[place] for place in places] if odd else made
    for name, field in fields_of(kind).items():
        values = list(map(attrgetter(name), rows))
        given: Sequence[int] = places
        if set(map(type, values)) != {str}:
            if field.check is not None:
                odd |= {place for place, value in zip(places, values, strict=True) if not isinstance(value, str)}
            given = [place for place, value in zip(places, values, strict=True) if isinstance(value, str)]
            values = [value for value in values if isinstance(value, str)]
        odd |= {given[index] for index in _odd_texts(field, values)}
    return odd


def _odd_texts(field: Field, texts: list[str]) -> set[int]:
    odd: set[int] = set()
    if _is_unstorable("".join(texts)):
        odd |= _where(map(_is_unstorable, texts))
    if field.strip and (stripped := list(map(str.strip, texts))) != texts:
        odd |= _where(text != short for text, short in zip(texts, stripped, strict=True))
    if field.check is not None:
        odd |= set(range(len(texts))) if field.surely is None else _where(map(not_, map(field.surely, texts)))
    return odd


def _where(claims: Iterable[bool]) -> set[int]:
    return {index for index, claim in enumerate(claims) if claim}


def _is_unstorable(text: str) -> bool:
    """Whether PostgreSQL would refuse it: NUL, or a lone surrogate."""
    if "\0" in text:
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
