"""Importing: `import`, alike for every resource."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, get_args

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.dataset import Dataset
from app.bulk.formats import Format, RecordsError, read_records
from app.bulk.importer import Batch, Conflict, Import, Outcome, batches
from app.bulk.staging import OnConflict, Staging, driver_of
from app.cli.command import Command, Failure, Work
from app.cli.exporting import FORMAT, created, style_of
from app.cli.output import tell
from app.cli.progress import Rejects, progress
from app.passwords import Passwords

SOME_REJECTED, FAILED, INTERRUPTED = 1, 2, 130
"""Exit statuses of an import."""


def import_command(work: Work, resource: Dataset) -> click.Command:
    def import_(file: str, style: Format | None, rejects: str | None, json: bool, **how: Any) -> None:
        chosen, outcome = style or style_of(file), Outcome()
        with _opened(file) as source, _rejects(rejects, source) as refused:
            try:
                job = partial(_import, resource=resource, source=source, style=chosen, rejects=refused, outcome=outcome)
                work.run(partial(job, **how), status=FAILED)
            except KeyboardInterrupt:
                click.echo("Interrupted.", err=True)
                raise SystemExit(INTERRUPTED) from None
            finally:
                _tell_summary(outcome, as_json=json, dry_run=how["dry_run"])
        raise SystemExit(SOME_REJECTED if outcome.rejected else 0)

    return Command(
        "import",
        callback=import_,
        help=f"Import {resource.table} from CSV with a header, or from JSON lines."
        " Exits with 0 when all went in, 1 when some were rejected, 2 when the import failed.",
        params=[
            click.Argument(["file"], metavar="FILE|-"),
            FORMAT,
            click.Option(
                ["--on-conflict"],
                type=click.Choice(get_args(OnConflict)),
                default="fail",
                show_default=True,
                help="When an address is taken: import nothing at all, skip the record, or update what is stored.",
            ),
            click.Option(["--dry-run"], is_flag=True, help="Check everything, change nothing."),
            click.Option(["--rejects"], metavar="FILE", help="Write line numbers and reasons of bad records here."),
            click.Option(["--json"], is_flag=True, help="Print the summary as JSON."),
        ],
    )


async def _import(
    engine: AsyncEngine, resource: Dataset, source: BinaryIO, style: Format, rejects: Rejects, **how: Any
) -> None:
    passwords = Passwords()
    try:
        async with driver_of(engine) as driver:
            staging = Staging(driver, resource.table, resource.columns)
            importing = Import(staging, resource, passwords, **how)
            with progress(source) as show:

                def report(batch: Batch) -> None:
                    rejects.add(batch.rejects)
                    show(importing.outcome)

                await importing.run(batches(read_records(source, style, resource.kind), resource), report)
    except (RecordsError, Conflict) as error:
        raise Failure(str(error), status=FAILED) from None
    finally:
        passwords.close()


def _tell_summary(outcome: Outcome, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        tell(outcome)
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in msgspec.structs.asdict(outcome).items())
    click.echo(counts + (" (dry run: nothing was changed)" if dry_run else ""))


@contextmanager
def _rejects(file: str | None, source: BinaryIO) -> Iterator[Rejects]:
    if file and _is_same(file, source):
        raise Failure(f"{file}: is what is to be imported", status=FAILED)
    # An import that fails has its rejects too.
    with created(file, status=FAILED, keep_unfinished=True) if file else nullcontext() as out:
        rejects = Rejects(out)
        try:
            yield rejects
        finally:
            rejects.close()


def _is_same(file: str, source: BinaryIO) -> bool:
    """Whether a name leads to the file that is read, by a link too."""
    try:
        return Path(file).is_file() and os.path.samestat(os.stat(file), os.fstat(source.fileno()))
    except OSError:
        return False  # of what is no file, as in a test's standard input


def _opened(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return open(file, "rb")
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", status=FAILED) from None
