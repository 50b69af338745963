"""Exporting: `export`, alike for every resource."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.dataset import Dataset
from app.bulk.formats import Format, encoder
from app.bulk.staging import UNLIMITED, driver_of
from app.cli.command import Command, CommandFailure, CommandRunner
from app.cli.files import atomic_file

FORMAT = click.Option(
    ["--format", "file_format"], type=click.Choice(["csv", "jsonl"]), help="Unless the name of the file ends in it."
)
FOR_SPREADSHEET = click.Option(
    ["--for-spreadsheet"],
    is_flag=True,
    help="CSV with a mark, CRLF and a ' before what would be a formula; for the way back, too.",
)
_FETCH_SIZE = 2_000
"""Rows that are in memory at a time."""


def export_command(runner: CommandRunner, resource: Dataset) -> click.Command:
    def export(
        file: str, file_format: Format | None, for_spreadsheet: bool, force: bool, with_hashes: bool = False
    ) -> None:
        columns = resource.exported + (resource.secret if with_hashes else ())
        file_format = file_format or format_of(file)
        if for_spreadsheet and file_format != "csv":
            raise click.UsageError("--for-spreadsheet is for CSV")
        if not force and Path(file).is_file():
            raise CommandFailure(f"{file}: is there already; --force overwrites it")
        with nullcontext(sys.stdout.buffer) if file == "-" else atomic_file(file) as out:
            count = runner.run(
                lambda engine: _export(
                    engine, resource.name, columns, file_format, out, for_spreadsheet=for_spreadsheet
                )
            )
        click.echo(f"{count:,} {resource.name} exported", err=True)

    flags = [click.Option(["--with-hashes"], is_flag=True, help="Export the hashes of passwords too.")]
    return Command(
        "export",
        callback=export,
        help=f"Export {resource.name} as CSV with a header, or as JSON lines, to a file or standard output.",
        params=[
            click.Argument(["file"], metavar="FILE|-", default="-"),
            FORMAT,
            FOR_SPREADSHEET,
            click.Option(["--force"], is_flag=True, help="Overwrite FILE."),
            *(flags if resource.secret else []),
        ],
    )


async def _export(
    engine: AsyncEngine,
    table: str,
    columns: tuple[str, ...],
    file_format: Format,
    out: BinaryIO,
    *,
    for_spreadsheet: bool = False,
) -> int:
    """Write every row as of one moment, with a cursor of the server; how many."""
    count = 0
    head, encode = encoder(file_format, columns, for_spreadsheet=for_spreadsheet)
    out.write(head)
    async with driver_of(engine) as driver, driver.transaction(isolation="repeatable_read", readonly=True):
        await driver.execute(UNLIMITED)  # Whoever reads the pipe may take his time.
        select = f"SELECT {', '.join(columns)} FROM {table} ORDER BY id"  # noqa: S608  # our own names
        # The driver's own cursor would leave a statement to whoever gets a pooler's connection next.
        await driver.execute(f"DECLARE exported NO SCROLL CURSOR FOR {select}")
        while rows := await driver.fetch(f"FETCH {_FETCH_SIZE} FROM exported"):
            out.write(encode(rows))
            count += len(rows)
    out.flush()
    return count


def format_of(file: str) -> Format:
    match Path(file).suffix.lower():
        case ".csv":
            return "csv"
        case ".jsonl" | ".ndjson":
            return "jsonl"
    raise click.UsageError("--format csv or --format jsonl is needed where the name of the file does not tell")
