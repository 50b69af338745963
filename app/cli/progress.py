"""Progress: how far an import is, as a bar on a terminal and as plain lines in a pipe; and what it refused."""

from __future__ import annotations

import codecs
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from app.bulk.batches import BATCH, Reject
from app.bulk.formats import REJECTED, write_csv
from app.bulk.outcome import Outcome
from app.bulk.records import Records
from app.bulk.rejects import as_csv, as_json_lines

PRINTED_REJECTS = 20
"""Rejects that are printed when they go to no file."""
_LINE_INTERVAL = 2.0
"""Seconds between two lines."""


@contextmanager
def progress(source: BinaryIO) -> Iterator[_Bar | _Lines]:
    """Show on standard error what is told, and how much of `source` has been read."""
    total = None
    with suppress(OSError):  # of what is no file, as in a test's standard input
        total = (source.seekable() and os.fstat(source.fileno()).st_size) or None
    if not sys.stderr.isatty():
        yield _Lines(source, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar, source, total)


class _Bar:
    def __init__(self, bar: Progress, source: BinaryIO, total: int | None) -> None:
        self._bar, self._source, self._total = bar, source, total
        self._told = "0 records"
        self._task = bar.add_task(self._told, total=total)

    def update(self, outcome: Outcome) -> None:
        self._told = f"{outcome.read:,} records"
        done = self._source.tell() if self._total else 0
        self._bar.update(self._task, completed=done, description=self._told)

    def storing(self) -> None:
        """Everything has been read, and the database has to store it, which takes as long again."""
        # Without a total the bar only moves.
        self._bar.reset(self._task, total=None, description=f"{self._told}, storing them")


class _Lines:
    def __init__(self, source: BinaryIO, total: int | None) -> None:
        self._source, self._total = source, total
        self._started_at = self._printed_at = time.monotonic()
        self._read = 0

    def update(self, outcome: Outcome) -> None:
        now = time.monotonic()
        self._read = outcome.read
        if now - self._printed_at >= _LINE_INTERVAL:
            self._printed_at = now
            share = f" ({self._source.tell() / self._total:.0%})" if self._total else ""
            click.echo(f"{self._read} records{share}, {outcome.read / (now - self._started_at):.0f} a second", err=True)

    def storing(self) -> None:
        if self._read >= BATCH:
            click.echo(f"{self._read} records, storing them", err=True)


class Rejects:
    """Prints lines and reasons at the end, never a value. The file, which nobody else may read, has the records as
    well, in the format that they came in, so that they can be mended and read again."""

    records: Records | None = None
    """Where they come from."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._count = 0
        self._printed: list[Reject] = []
        self._is_begun = False

    @contextmanager
    def opened(self, file: BinaryIO | None) -> Iterator[None]:
        self._file = file
        try:
            yield
            self.add([])
        finally:
            for reject in self._printed if not file else ():
                click.echo(f"line {reject.line}: {reject.reason}", err=True)
            if not file and self._count > PRINTED_REJECTS:
                click.echo(f"... and {self._count - PRINTED_REJECTS} more; --rejects FILE keeps them all", err=True)

    def add(self, rejects: Sequence[Reject]) -> None:
        self._count += len(rejects)
        self._printed += rejects[: PRINTED_REJECTS - len(self._printed)]
        if self._file is None or self.records is None:
            return
        is_csv = self.records.style == "csv"
        if not self._is_begun:
            # The mark outdoes --encoding, as what is mended is read with the same options.
            self._file.write(codecs.BOM_UTF8 if self.records.reading.encoding else b"")
            self._file.write(write_csv([(*REJECTED, *self.records.names)]) if is_csv else b"")
            self._is_begun = True
        is_guarded = self.records.reading.is_guarded
        self._file.write(as_csv(rejects, is_guarded=is_guarded) if is_csv else as_json_lines(rejects))
