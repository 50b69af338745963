"""Importing: `import`, alike for every resource."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.dataset import Dataset
from app.bulk.formats import Format
from app.bulk.importer import Batch, Import, ImportConflict, Outcome, batches
from app.bulk.records import Records, RecordsError
from app.bulk.staging import OnConflict, Staging, driver_of
from app.cli.command import Command, CommandFailure, CommandRunner
from app.cli.exporting import FOR_SPREADSHEET, FORMAT, atomic_file, check_spreadsheet, format_of
from app.cli.output import print_json
from app.cli.progress import Rejects, progress
from app.passwords import Passwords

SOME_REJECTED, FAILED, INTERRUPTED = 1, 2, 130
"""Exit statuses of an import."""

_CHOICES = ["fail", "skip", "update"]


def import_command(runner: CommandRunner, resource: Dataset) -> click.Command:
    def import_(
        file: str, file_format: Format | None, rejects: str | None, force: bool, json: bool, **options: Any
    ) -> None:
        file_format = file_format or format_of(file)
        check_spreadsheet(file_format, options["for_spreadsheet"])
        with _opened(file) as source, _rejects(rejects, source, file_format, force=force) as reject_log:
            running = _Running(resource, source, file_format, reject_log, **options)
            try:
                runner.run(running.run, status=FAILED)
            except CommandFailure as failure:
                running.error = str(failure)
                raise
            except KeyboardInterrupt:
                click.echo("Interrupted.", err=True)
                raise SystemExit(INTERRUPTED) from None
            finally:
                running.tell_summary(as_json=json)
        raise SystemExit(SOME_REJECTED if running.outcome.rejected else 0)

    return Command(
        "import",
        callback=import_,
        help=f"Import {resource.name} from CSV with a header, or from JSON lines. Exits with 0 when all went in, 1 when"
        " some were rejected, 2 when the import failed.",
        params=[
            click.Argument(["file"], metavar="FILE|-"),
            FORMAT,
            FOR_SPREADSHEET,
            click.Option(
                ["--on-conflict"],
                type=click.Choice(_CHOICES),
                default="fail",
                show_default=True,
                help="When an address is taken: import nothing at all, skip the record, or update what is stored.",
            ),
            click.Option(["--dry-run"], is_flag=True, help="Check everything, change nothing."),
            click.Option(
                ["--rejects"],
                metavar="FILE",
                help="Write bad records here, with line and reason, in the format of FILE, to be mended and imported.",
            ),
            click.Option(["--force"], is_flag=True, help="Overwrite what --rejects names."),
            click.Option(
                ["--null"],
                default="",
                metavar="TEXT",
                help="In CSV, a field of this text is empty, as NULL or \\N are.",
            ),
            click.Option(["--json"], is_flag=True, help="Print the summary as JSON."),
        ],
    )


class _Running:
    """One import on its way."""

    def __init__(
        self,
        resource: Dataset,
        source: BinaryIO,
        file_format: Format,
        rejects: Rejects,
        *,
        on_conflict: OnConflict,
        dry_run: bool,
        null: str,
        for_spreadsheet: bool,
    ) -> None:
        self._resource = resource
        self._source = source
        self._style = file_format
        self._rejects = rejects
        self._on_conflict = on_conflict
        self._dry_run = dry_run
        self._null = null
        self._is_guarded = for_spreadsheet
        self._notes: Callable[[], list[str]] = list
        self.outcome = Outcome()
        self.error: str | None = None

    async def run(self, engine: AsyncEngine) -> None:
        passwords = Passwords()
        target = self._resource.target(passwords)
        try:
            async with driver_of(engine) as driver:
                staging = Staging(driver, target.table, target.columns)
                importing = Import(staging, target, on_conflict=self._on_conflict, dry_run=self._dry_run)
                self.outcome, self._notes = importing.outcome, importing.notes
                with progress(self._source) as show:
                    records = Records(
                        self._source, self._style, target.kind, null=self._null, is_guarded=self._is_guarded
                    )
                    self._rejects.names = records.names
                    records.check()

                    def on_batch(batch: Batch) -> None:
                        self._rejects.add(batch.rejects)
                        show(importing.outcome)

                    await importing.run(batches(records, target), on_batch)
        except (RecordsError, ImportConflict) as error:
            raise CommandFailure(str(error), status=FAILED) from None
        finally:
            passwords.close()

    def tell_summary(self, *, as_json: bool) -> None:
        notes = [] if self.error else self._notes()
        if as_json:
            more = {"error": self.error, "notes": notes}
            print_json(msgspec.structs.asdict(self.outcome) | {name: told for name, told in more.items() if told})
            return
        counts = ", ".join(f"{getattr(self.outcome, name):,} {name}" for name in self.outcome.__struct_fields__)
        click.echo(counts + (" (dry run: nothing was changed)" if self._dry_run else ""))
        for note in notes:
            click.echo(f"note: {note}")


@contextmanager
def _rejects(file: str | None, source: BinaryIO, file_format: Format, *, force: bool) -> Iterator[Rejects]:
    if file and _is_same(file, source):
        raise CommandFailure(f"{file}: is what is to be imported", status=FAILED)
    if file and not force and not _reserved(file):
        raise CommandFailure(f"{file}: is there already; --force overwrites it", status=FAILED)
    # An import that fails has its rejects too.
    with atomic_file(file, status=FAILED, keep_unfinished=True) if file else nullcontext() as out:
        rejects = Rejects(out, file_format)
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


def _reserved(file: str) -> bool:
    """Whether nobody else has a file of this name, and nobody will."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return not Path(file).is_file()
    except OSError:
        return True  # Said where it is written.
    return True


def _opened(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return open(file, "rb")
    except OSError as error:
        raise CommandFailure(f"{file}: {error.strerror}", status=FAILED) from None
