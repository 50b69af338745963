"""Arrays: many decoded rows in, Structs out, or what is wrong with each bad row.

A thousand good rows cost a millisecond or two: they are looked at column by column, which leaves the loops to C.
Only a row that looks odd is checked by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
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
    places = [place for place, row in enumerate(made) if row is not None]
    rows = [row for row in made if row is not None]
    odd = set(range(len(made))) - set(places) if len(places) < len(made) else set()
    for name, field in fields_of(kind).items():
        texts = [value if isinstance(value, str) else None for value in map(attrgetter(name), rows)]
        odd |= {places[index] for index in _odd_texts(field, texts)}
    return odd


def _odd_texts(field: Field, texts: list[str | None]) -> set[int]:
    given = [(index, text) for index, text in enumerate(texts) if text is not None]
    indexes, values = [index for index, _ in given], [text for _, text in given]
    odd: set[int] = set()
    if _is_unstorable("".join(values)):
        odd |= _where(values, _is_unstorable)
    if field.strip and (stripped := list(map(str.strip, values))) != values:
        odd |= {at for at, (text, short) in enumerate(zip(values, stripped, strict=True)) if text != short}
    if field.check is not None:
        odd |= _where(values, lambda text: field.surely is None or not field.surely(text))
    return {indexes[at] for at in odd}


def _where(values: Sequence[str], is_odd: Callable[[str], bool]) -> set[int]:
    return {at for at, text in enumerate(values) if is_odd(text)}


def _is_unstorable(text: str) -> bool:
    """Whether PostgreSQL would refuse it: NUL, or a lone surrogate."""
    if "\0" in text:
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
