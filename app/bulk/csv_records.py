"""CSV: the header of a file, wherever it stands and whatever separates it, and the rows under it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import msgspec

from app.bulk.formats import REJECTED
from app.bulk.source import RecordsError, Unparsable, read_lines

_SEPARATORS = {",": "commas", ";": ";", "\t": "tabs", "|": "|"}
_ABOVE = 20
"""Lines that may stand above the header."""


class Header(msgspec.Struct):
    names: list[str]
    separator: str
    is_spaced: bool
    """Whether a blank follows each separator."""
    line: int

    @property
    def skipped(self) -> int:
        """Cells of rejects that were mended."""
        return len(REJECTED) if tuple(self.names[: len(REJECTED)]) == REJECTED else 0


def read_csv(
    text: io.TextIOWrapper, suits: Callable[[Sequence[str]], str], on_header: Callable[[Header], None]
) -> Iterator[tuple[int, list[str] | Unparsable]]:
    """Rows with the numbers of their first lines, but none that is empty. Raises: RecordsError.

    `suits` says what a line lacks to be the header.
    """
    reading = _Reading(read_lines(text))
    header = _header(reading, suits)
    on_header(header)
    expected = len(header.names)
    reader = csv.reader(reading, delimiter=header.separator, skipinitialspace=header.is_spaced, strict=True)
    while True:
        number = reading.number + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, RecordsError) as error:
            raise _ended(error, number, reading.number) from None
        if len(row) > expected and not any(row[expected:]):
            row = row[:expected]
        if len(row) == expected:
            if any(row):
                yield number, row[header.skipped :]
        elif any(map(str.strip, row)):
            if not header.skipped:
                _refuse_misread(row, number, reading, header)
            yield number, Unparsable(f"has {len(row)} fields, the header has {expected}", row[header.skipped :])


class _Reading:
    """Lines, and which was the last."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.line, self.number = "", 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.line = next(self._lines)
        self.number += 1
        return self.line


def _header(reading: _Reading, suits: Callable[[Sequence[str]], str]) -> Header:
    """The first line that names what is needed. Raises: RecordsError."""
    seen: list[tuple[int, str, list[str]]] = []
    above: list[str] = []
    for line in islice(reading, _ABOVE):
        for separator in _SEPARATORS:
            names = _split(line, separator)
            if not (lacks := suits(names)):
                _refuse_above(above, separator)
                is_spaced = line.count(separator) == line.count(separator + " ") > 0
                return Header(names, separator, is_spaced, reading.number)
            # Of what is no header, that is told which names the most.
            seen.append((len(list(filter(None, names))), lacks, names))
        above.append(line)
    if not any(names for _, _, names in seen):
        raise RecordsError(f"the file is empty: the first line must name the columns; {suits([])}")
    _, lacks, names = max(seen, key=lambda found: found[0])
    if any("@" in name for name in names):
        raise RecordsError("the file has no header: put a line above the records that names the columns")
    found = ", ".join(name[:60] for name in names[:30] if name)
    raise RecordsError(
        f"the first line must name the columns; {lacks}; found: {found}; --map FIELD=COLUMN says where a field stands"
    )


def _refuse_above(lines: Sequence[str], separator: str) -> None:
    """Pass over titles only: what looks like a header may be the text of a field. Raises: RecordsError."""
    for number, line in enumerate(lines, 1):
        if line.count('"') % 2 or len(list(filter(None, _split(line, separator)))) > 1:
            raise RecordsError(
                f"line {number} names several columns, but not those that are needed, which line {len(lines) + 1} does:"
                " the header must come first"
            )


def _split(line: str, separator: str) -> list[str]:
    try:
        return [name.strip("\ufeff \t\r\n") for name in next(csv.reader([line], delimiter=separator, strict=True), [])]
    except csv.Error:
        return []


def _refuse_misread(row: Sequence[str], number: int, reading: _Reading, header: Header) -> None:
    """Raises: RecordsError, where a quote may have ended too early, or where another separator is used."""
    expected = len(header.names)
    if reading.number > number or '"' in reading.line:
        raise RecordsError(
            f"line {number}: a record with quotes has {len(row)} fields, the header has {expected};"
            " a quote inside a field must be doubled"
        )
    for separator, name in _SEPARATORS.items():
        if separator != header.separator and len(row) == 1 < expected and row[0].count(separator) >= expected - 1:
            raise RecordsError(f"line {number}: separated by {name}, not by {_SEPARATORS[header.separator]}")


def _ended(error: Exception, number: int, last: int) -> RecordsError:
    """The line where the record begins, and why it does not end."""
    if isinstance(error, RecordsError):
        told = str(error)
        begins = f"line {number}: "
        return error if told.startswith(begins) else RecordsError(f"{begins}a record that cannot be read: {told}")
    told = "a quote is where none can be; one inside a field must be doubled"
    if "limit" in str(error):
        told = f"a field of more than {csv.field_size_limit():,} characters; is a quote not closed?"
    elif "end of data" in str(error):
        told = "a quote is not closed"
    elif "new-line" in str(error):
        told = "a line ends with a carriage return alone"
    return RecordsError(f"line {number}: {told} (read up to line {last})")
