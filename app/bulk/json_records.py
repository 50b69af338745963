"""JSON: the objects of a file, one on a line, in an array, one after another, or in an array inside an object."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from app.bulk.formats import REJECTED
from app.bulk.json_values import Values, scan
from app.bulk.source import LONGEST_LINE, RecordsError, Unparsable, checked, read_lines
from app.problems import Malformed
from app.validation.decoding import decode_json

Suits = Callable[[dict[str, Any]], bool]


def read_json(text: io.TextIOWrapper, suits: Suits, records: str = "") -> Iterator[tuple[int, Any]]:
    """What was decoded, with the number of the line where it began. `records` leads to the array of them.

    A line that is no JSON is one bad record where each line is one; elsewhere it ends the file. Raises: RecordsError.
    """
    number, begun = _first_line(text)
    first = _decoded(begun) if len(begun) <= LONGEST_LINE else None
    if not begun:
        return
    if isinstance(first, dict) and (not records or first.keys() >= set(REJECTED)):
        numbered = chain([(number, begun)], enumerate(read_lines(text, number + 1), number + 1))
        decoded = ((number, _decoded_whole(number, line)) for number, line in numbered if not line.isspace())
        yield from _unless_around(decoded, suits)
        return
    values = Values(text, begun, number)
    for name in records.split(".") if records else ():
        values.enter(name)
    if records or values.next() == "[":
        yield from values.items()
    else:
        yield from _unless_around(values.following(), suits)


def _first_line(text: io.TextIOWrapper) -> tuple[int, str]:
    """The first that is not blank, or its beginning, as all of an array may stand on one line. Raises: RecordsError."""
    read = checked(lambda: text.readline(LONGEST_LINE + 1), text.encoding)
    number = 1
    while (line := read()).isspace():
        number += 1
    return number, line


def _decoded(line: str) -> Any:
    try:
        return decode_json(line.encode())
    except Malformed:
        return Unparsable("not valid JSON", [line.strip()])


def _decoded_whole(number: int, line: str) -> Any:
    """The same. Raises: RecordsError, where the next lines may be a part of what began on this one."""
    given = _decoded(line)
    if isinstance(given, Unparsable) and line.lstrip()[:1] in ("{", "["):
        try:
            scan(line.strip())
        except json.JSONDecodeError as error:
            if error.msg.startswith(("Unterminated", "Invalid control")) or error.pos >= len(line.strip()):
                raise RecordsError(f"line {number}: an object that does not end on its line") from None
        except (ValueError, RecursionError):
            pass
    return given


def _unless_around(values: Iterator[tuple[int, Any]], suits: Suits) -> Iterator[tuple[int, Any]]:
    """The values. Raises: RecordsError, where there is but one object, which is no record, but holds them."""
    first = list(islice(values, 2))
    if len(first) == 1:
        _refuse_around(*first[0], suits)
    yield from chain(first, values)


def _refuse_around(number: int, given: dict[str, Any], suits: Suits) -> None:
    """Raises: RecordsError."""
    names = [name for name, value in given.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if names and not suits(given):
        more = f" (there are {', '.join(names)})" if len(names) > 1 else ""
        raise RecordsError(f"line {number}: one object around others; say where, as in --records {names[0]}{more}")
