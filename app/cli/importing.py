"""Importing: `import`, alike for every resource."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.batches import Batch, batches
from app.bulk.dataset import Dataset, Target
from app.bulk.importer import Import, Terms
from app.bulk.mapping import FieldMap
from app.bulk.outcome import ImportConflict, Outcome
from app.bulk.records import Reading, Records
from app.bulk.source import RecordsError
from app.bulk.staging import Staging, driver_of
from app.bulk.values import to_id
from app.cli.command import Command, CommandFailure, CommandRunner
from app.cli.files import FAILED, new_file, opened
from app.cli.import_options import OPTIONS, WITHOUT_PASSWORDS
from app.cli.output import print_json
from app.cli.progress import Rejects, progress
from app.credentials.passwords import Passwords

SOME_REJECTED, INTERRUPTED = 1, 130
"""Exit statuses of an import."""


def import_command(runner: CommandRunner, resource: Dataset) -> click.Command:
    def import_(file: str, rejects: str | None, ids: str | None, force: bool, json: bool, **said: Any) -> None:
        importing = _Importing(resource, said)
        try:
            if ids and rejects and Path(ids).resolve() == Path(rejects).resolve():
                raise CommandFailure(f"{ids}: is for --rejects already", status=FAILED)
            with (
                opened(file) as source,
                new_file(rejects, source, force=force) as bad,
                new_file(None if said["dry_run"] else ids, source, force=force) as both,
                importing.rejects.opened(bad),
            ):
                runner.run(lambda engine: importing.run(engine, source, both), status=FAILED)
        except CommandFailure as failure:
            importing.error = str(failure)
            click.echo(f"Error: {failure}", err=True)
        except KeyboardInterrupt:
            importing.error = "Interrupted"
            click.echo("Interrupted.", err=True)
            raise SystemExit(INTERRUPTED) from None
        finally:
            importing.tell_summary(as_json=json)
        raise SystemExit(FAILED if importing.error else SOME_REJECTED if importing.outcome.rejected else 0)

    return Command(
        "import",
        callback=import_,
        help=f"Import {resource.name} from CSV with a header or from JSON, packed with gzip or not. Columns, in any"
        f" order: {resource.imported}. Exits with 0 when all went in, 1 when some were rejected, 2 when the import"
        " failed.",
        params=[*OPTIONS, *([WITHOUT_PASSWORDS] if resource.secret else [])],
    )


@dataclass
class _Importing:
    """One import, and what is to be told of it."""

    resource: Dataset
    said: dict[str, Any]
    rejects: Rejects = field(default_factory=Rejects)
    outcome: Outcome = field(default_factory=Outcome)
    notes: list[str] = field(default_factory=list)
    error: str | None = None

    async def run(self, engine: AsyncEngine, source: BinaryIO, ids: BinaryIO | None) -> None:
        """Raises: CommandFailure."""
        passwords = Passwords()
        try:
            async with driver_of(engine) as driver:
                await self._run(driver, self.resource.target(passwords), source, ids)
        except RecordsError as error:
            raise CommandFailure(str(error), status=FAILED) from None
        except ImportConflict as error:
            more = " more" * bool(self.outcome.inserted + self.outcome.updated)
            raise CommandFailure(f"Nothing{more} was imported: {error}", status=FAILED) from None
        finally:
            passwords.close()

    async def _run(self, driver: Any, target: Target, source: BinaryIO, ids: BinaryIO | None) -> None:
        said = self.said
        keeps_ids, takes_bare = said["keep_ids"], said.get("without_passwords", False)
        terms = Terms(said["on_conflict"], said["dry_run"], keeps_ids, takes_bare, said["null"], ids)
        defaults, blanks = target.defaults, target.blanks
        staging = Staging(driver, target.table, target.columns, defaults=defaults, blanks=blanks, keeps_ids=keeps_ids)
        importing = Import(staging, target, terms)
        self.outcome = importing.outcome
        fields = FieldMap(target.terms(to_id if keeps_ids else None), said["mapped"], said["null"])
        reading = Reading(said["file_format"], said["for_spreadsheet"], said["encoding"], said["records"])
        records = self.rejects.records = Records(source, fields, reading)
        may_be_bare = takes_bare or terms.on_conflict == "update"
        with progress(source) as shown:
            records.check()

            def on_batch(batch: Batch) -> None:
                self.rejects.add(batch.rejects)
                shown.update(importing.outcome)

            checked = batches(records, target, may_lack_secrets=may_be_bare, needs_id=keeps_ids)
            await importing.run(checked, on_batch, shown.storing)
        self.notes = importing.notes.told(is_empty=not importing.outcome.read) + records.notes()

    def tell_summary(self, *, as_json: bool) -> None:
        if as_json:
            more = {"error": self.error, "notes": self.notes}
            print_json(msgspec.structs.asdict(self.outcome) | {name: told for name, told in more.items() if told})
            return
        counts = ", ".join(f"{getattr(self.outcome, name):,} {name}" for name in self.outcome.__struct_fields__)
        click.echo(counts + (" (dry run: nothing was changed)" if self.said["dry_run"] else ""))
        for note in self.notes:
            click.echo(f"note: {note}")
