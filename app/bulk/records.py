"""Records: a file of any of the shapes that there are, read into the fields of a kind; its own faults end it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO, Literal

import msgspec

from app.bulk.csv_records import Header, read_csv
from app.bulk.formats import unguarded
from app.bulk.json_records import read_json
from app.bulk.mapping import FieldMap
from app.bulk.source import RecordsError, opened_text

Style = Literal["csv", "jsonl"]


class Reading(msgspec.Struct, frozen=True):
    """What somebody says of a file."""

    style: Style | None = None
    """Told by the first character, unless it is said."""
    is_guarded: bool = False
    """Whether it was written for a spreadsheet."""
    encoding: str = ""
    records: str = ""
    """Where in an object the array of records is."""


class Records:
    """A file, record by record: the number of its first line, what stands there, and the fields of it."""

    def __init__(self, source: BinaryIO, fields: FieldMap, reading: Reading) -> None:
        self._source = source
        self._fields = fields
        self.reading = reading
        self.style: Style = reading.style or "csv"
        self.header: Header | None = None

    def __iter__(self) -> Iterator[tuple[int, Any, Any]]:
        """Raises: RecordsError."""
        take = self._fields.take
        names: tuple[str, ...] | None = None
        for line, raw in self._read():
            if type(raw) is list and self.header is not None:
                names = names or tuple(self.header.names[self.header.skipped :])
                yield line, raw, take(names, raw)
            else:
                yield line, raw, take(tuple(raw), tuple(raw.values())) if type(raw) is dict else raw

    def check(self) -> None:
        """Read everything once, unless it comes out of a pipe. Raises: RecordsError."""
        if self._source.seekable():
            beginning = self._source.tell()
            deque(self._read(), maxlen=0)
            self._source.seek(beginning)

    @property
    def names(self) -> Sequence[str]:
        """The columns of a CSV, once its header was read."""
        return self.header.names[self.header.skipped :] if self.header else ()

    def unused(self) -> list[str]:
        """Names of columns and members that are no field."""
        return [name[:60] for name in list(self._fields.ignored)[:30]]

    def notes(self) -> list[str]:
        """What became of columns, and of values that were taken for something."""
        told = [f"{text} ({count:,})" for text, count in self._fields.told.items()]
        if unused := self.unused():
            told.append(f"ignored: {', '.join(unused)}")
        if self.header and self.header.line > 1:
            told.append(f"passed over what stands above line {self.header.line}, which names the columns")
        return told

    def _read(self) -> Iterator[tuple[int, Any]]:
        reading = self.reading
        with opened_text(self._source, reading.encoding) as (text, beginning):
            self.style = reading.style or ("jsonl" if beginning.lstrip()[:1] in ("{", "[") else "csv")
            if self.style == "jsonl":
                if reading.is_guarded:
                    raise RecordsError("--for-spreadsheet is for CSV")
                yield from read_json(text, self._suits, reading.records)
            else:
                rows = read_csv(text, self._fields.lacks, partial(setattr, self, "header"))
                yield from map(_unguarded, rows) if reading.is_guarded else rows

    def _suits(self, given: dict[str, Any]) -> bool:
        return not self._fields.lacks(list(given))


def _unguarded(numbered: tuple[int, Any]) -> tuple[int, Any]:
    line, row = numbered
    return (line, list(map(unguarded, row))) if isinstance(row, list) else numbered
