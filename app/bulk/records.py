"""Records: CSV or JSON lines, read into what a Struct is made of; what is wrong with a file ends it."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, BinaryIO

import msgspec

from app.bulk.formats import REJECTED, Format, unguarded
from app.problems import Malformed
from app.validation.decoding import decode_json

LONGEST_LINE = 1024 * 1024
"""Bytes. A longer one is none of ours, and is not held in memory."""
_SEPARATORS = {";": ";", "\t": "tabs", "|": "|"}


class RecordsError(ValueError):
    """Why nothing more of a file can be read."""


class Unparsable(msgspec.Struct, frozen=True):
    """A record that cannot be parsed."""

    reason: str
    cells: Sequence[str]


class Records:
    """A file, record by record: the number of its first line, and a `kind`, what was decoded for one, or Broken.

    What is wrong with the file, and not with a value, ends it with RecordsError: whoever reads on after a quote that
    was misread takes the text of a field for records.
    """

    def __init__(
        self, source: BinaryIO, style: Format, kind: type[msgspec.Struct], *, null: str = "", is_guarded: bool = False
    ) -> None:
        self._source = source
        self._style = style
        self._kind = kind
        self._null = null
        self._is_guarded = is_guarded
        self._line = ""
        self.names: list[str] = []
        """The columns of a CSV, once its first line was read."""

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        return self._read_csv() if self._style == "csv" else self._read_json_lines()

    def check(self) -> None:
        """Read everything once, unless it comes out of a pipe. Raises: RecordsError."""
        if self._source.seekable():
            beginning = self._source.tell()
            deque(self, maxlen=0)
            self._source.seek(beginning)

    def _lines(self) -> Iterator[str]:
        for number in count(1):
            line = self._source.readline(LONGEST_LINE + 1)
            if number == 1:
                if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    raise RecordsError("the file is UTF-16; save it as UTF-8")
                line = line.removeprefix(codecs.BOM_UTF8)
            elif not line:
                return
            if len(line) > LONGEST_LINE:
                raise RecordsError(f"line {number}: longer than 1 MiB")
            try:
                self._line = line.decode()
            except UnicodeDecodeError:
                raise RecordsError(f"line {number}: not UTF-8; save the file as UTF-8") from None
            yield self._line

    def _read_json_lines(self) -> Iterator[tuple[int, Any]]:
        decode = msgspec.json.Decoder(self._kind).decode
        is_first = True
        for number, text in enumerate(self._lines(), 1):
            if text.isspace() or not text:
                continue
            try:
                given = decode(text)
            except (ValueError, RecursionError):
                given = _decode_loosely(text)
                if is_first and not isinstance(given, dict):
                    what = "an array" if text.lstrip().startswith("[") else "not one JSON object a line"
                    raise RecordsError(f"line {number}: {what}; JSON lines are expected, an object on each") from None
            is_first = False
            yield number, given

    def _read_csv(self) -> Iterator[tuple[int, Any]]:
        """An empty field counts as absent, and so does one that says `null`."""
        reader = csv.reader(self._lines(), strict=True)
        named = _header(reader, self._kind)
        # Of rejects that were mended.
        skipped = len(REJECTED) if tuple(named[: len(REJECTED)]) == REJECTED else 0
        self.names[:] = names = named[skipped:]
        null = self._null
        while True:
            number = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except (csv.Error, RecordsError) as error:
                raise _ended(error, number, reader.line_num) from None
            if self._is_guarded:
                row = list(map(unguarded, row))
            if len(row) == len(named):
                given = dict(zip(names, row[skipped:], strict=True))
                is_whole = "" not in row and null not in row
                yield number, given if is_whole else {n: text for n, text in given.items() if text and text != null}
            elif row:
                if not skipped:
                    self._refuse_misread(row, number, reader.line_num, len(named))
                yield number, Unparsable(f"has {len(row)} fields, the header has {len(named)}", row[skipped:])

    def _refuse_misread(self, row: Sequence[str], number: int, last: int, expected: int) -> None:
        """Raises: RecordsError, where a quote may have ended too early, or where another separator is used."""
        if last > number or '"' in self._line:
            raise RecordsError(
                f"line {number}: a record with quotes has {len(row)} fields, the header has {expected};"
                " a quote inside a field must be doubled"
            )
        _refuse_separator(row, f"line {number}", expected)


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


def _decode_loosely(text: str) -> Any:
    try:
        given = decode_json(text.encode())
    except Malformed:
        return Unparsable("not valid JSON", [text.strip()])
    if isinstance(given, dict) and given.keys() >= set(REJECTED):
        return {name: value for name, value in given.items() if name not in REJECTED}
    return given


def _header(reader: Iterator[list[str]], kind: type[msgspec.Struct]) -> list[str]:
    try:
        named = [name.strip() for name in next(reader, [])]
    except csv.Error:
        raise RecordsError("the first line is not valid CSV") from None
    _refuse_separator(named, "the first line")
    names = named[len(REJECTED) :] if tuple(named[: len(REJECTED)]) == REJECTED else named
    fields = {field.encode_name: field.required for field in msgspec.structs.fields(kind)}
    if missing := [name for name, required in fields.items() if required and name not in names]:
        empty = "" if named else "the file is empty, or its first line: "
        raise RecordsError(f"{empty}the first line must name the columns; missing: {', '.join(missing)}")
    if len(set(names)) < len(names) or set(names) - set(fields):
        raise RecordsError(f"the first line may name each of these columns once: {', '.join(fields)}")
    return named


def _refuse_separator(row: Sequence[str], where: str, expected: int = 2) -> None:
    for separator, name in _SEPARATORS.items():
        if len(row) == 1 < expected and row[0].count(separator) >= expected - 1:
            raise RecordsError(f"{where}: separated by {name}, not by commas")
