"""Progress: how far an import is, as a bar on a terminal and as plain lines in a pipe; and what it refused."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from app.bulk.formats import REJECTED, Format, write_csv
from app.bulk.importer import Outcome, Reject
from app.bulk.rejects import as_csv, as_json_lines

PRINTED_REJECTS = 20
"""Rejects that are printed when they go to no file."""
_LINE_INTERVAL = 2.0
"""Seconds between two lines."""


@contextmanager
def progress(source: BinaryIO) -> Iterator[Callable[[Outcome], None]]:
    """Show on standard error what is told, and how much of `source` has been read."""
    total = None
    with suppress(OSError):  # of what is no file, as in a test's standard input
        total = (source.seekable() and os.fstat(source.fileno()).st_size) or None
    if not sys.stderr.isatty():
        yield _lines(source, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("0 records", total=total)
        yield lambda outcome: bar.update(
            task, completed=source.tell() if total else 0, description=f"{outcome.read:,} records"
        )


def _lines(source: BinaryIO, total: int | None) -> Callable[[Outcome], None]:
    started_at = printed_at = time.monotonic()

    def print_line(outcome: Outcome) -> None:
        nonlocal printed_at
        now = time.monotonic()
        if now - printed_at >= _LINE_INTERVAL:
            printed_at = now
            share = f" ({source.tell() / total:.0%})" if total else ""
            click.echo(f"{outcome.read} records{share}, {outcome.read / (now - started_at):.0f} a second", err=True)

    return print_line


class Rejects:
    """Prints lines and reasons, never a value. The file, which nobody else may read, has the records as well, in the
    format that they came in, so that they can be mended and read again."""

    def __init__(self, file: BinaryIO | None, style: Format) -> None:
        self._file = file
        self._style = style
        self._count = 0
        self._is_begun = style != "csv"
        self.names: Sequence[str] = ()
        """The columns of a CSV."""

    def add(self, rejects: Sequence[Reject]) -> None:
        self._write(rejects)
        for reject in rejects[: max(0, PRINTED_REJECTS - self._count)] if not self._file else ():
            click.echo(f"line {reject.line}: {reject.reason}", err=True)
        self._count += len(rejects)

    def _write(self, rejects: Sequence[Reject]) -> None:
        if self._file and not self._is_begun:
            self._file.write(write_csv([(*REJECTED, *self.names)]))
            self._is_begun = True
        if self._file and rejects:
            self._file.write(as_csv(rejects, self.names) if self._style == "csv" else as_json_lines(rejects))

    def close(self) -> None:
        self._write([])
        if not self._file and self._count > PRINTED_REJECTS:
            click.echo(f"... and {self._count - PRINTED_REJECTS} more; --rejects FILE keeps them all", err=True)
