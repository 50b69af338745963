"""Exporting: `export`, alike for every resource."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.dataset import Dataset
from app.bulk.formats import Format, encoder
from app.bulk.staging import UNLIMITED, driver_of
from app.cli.command import Command, Failure, Work

FORMAT = click.Option(
    ["--format", "style"], type=click.Choice(["csv", "jsonl"]), help="Unless the name of the file ends in it."
)
FOR_SPREADSHEET = click.Option(
    ["--for-spreadsheet"],
    is_flag=True,
    help="CSV with a mark, CRLF and a ' before what would be a formula; for the way back, too.",
)
_FETCH = 2_000
"""Rows that are in memory at a time."""


def export_command(work: Work, resource: Dataset) -> click.Command:
    def export(file: str, style: Format | None, for_spreadsheet: bool, with_hashes: bool = False) -> None:
        columns = resource.exported + (resource.secret if with_hashes else ())
        chosen = style or style_of(file)
        check_spreadsheet(chosen, for_spreadsheet)
        with nullcontext(sys.stdout.buffer) if file == "-" else created(file) as out:
            work.run(
                lambda engine: _export(engine, resource.name, columns, chosen, out, for_spreadsheet=for_spreadsheet)
            )

    flags = [click.Option(["--with-hashes"], is_flag=True, help="Export the hashes of passwords too.")]
    return Command(
        "export",
        callback=export,
        help=f"Export {resource.name} as CSV with a header, or as JSON lines, to a file or standard output.",
        params=[
            click.Argument(["file"], metavar="FILE|-", default="-"),
            FORMAT,
            FOR_SPREADSHEET,
            *(flags if resource.secret else []),
        ],
    )


async def _export(
    engine: AsyncEngine,
    table: str,
    columns: tuple[str, ...],
    style: Format,
    out: BinaryIO,
    *,
    for_spreadsheet: bool = False,
) -> None:
    """Write every row as of one moment, with a cursor of the server."""
    beginning, encode = encoder(style, columns, for_spreadsheet=for_spreadsheet)
    out.write(beginning)
    async with driver_of(engine) as driver, driver.transaction(isolation="repeatable_read", readonly=True):
        await driver.execute(UNLIMITED)  # Whoever reads the pipe may take his time.
        cursor = await driver.cursor(f"SELECT {', '.join(columns)} FROM {table} ORDER BY id")  # noqa: S608  # our own names
        while rows := await cursor.fetch(_FETCH):
            out.write(encode(rows))
    out.flush()


def check_spreadsheet(style: Format, for_spreadsheet: bool) -> None:
    if for_spreadsheet and style != "csv":
        raise click.UsageError("--for-spreadsheet is for CSV")


def style_of(file: str) -> Format:
    match Path(file).suffix.lower():
        case ".csv":
            return "csv"
        case ".jsonl" | ".ndjson":
            return "jsonl"
    raise click.UsageError("--format csv or --format jsonl is needed where the name of the file does not tell")


@contextmanager
def created(file: str, *, status: int = 1, keep_unfinished: bool = False) -> Iterator[BinaryIO]:
    """A file that nobody else may read. It takes the place of another only at the end, and if nothing was raised.

    Raises: Failure, with `status`.
    """
    try:
        if Path(file).exists() and not Path(file).is_file():
            with open(file, "wb") as out:  # a pipe or a device, which has nothing to lose
                yield out
        else:
            with _replacing(Path(file).resolve(), keep_unfinished) as out:
                yield out
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", status=status) from None


@contextmanager
def _replacing(target: Path, keep_unfinished: bool) -> Iterator[BinaryIO]:
    handle, unfinished = mkstemp(prefix=".unfinished-", dir=target.parent)
    is_whole = keep_unfinished
    try:
        with os.fdopen(handle, "wb") as out:
            try:
                yield out
                is_whole = True
            finally:
                if is_whole:
                    out.flush()
                    os.fsync(handle)
                    os.replace(unfinished, target)
    finally:
        Path(unfinished).unlink(missing_ok=True)
