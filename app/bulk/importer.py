"""Importer: a stream of records into a table, in batches, with an account of what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from asyncpg import UniqueViolationError
from msgspec import Struct

from app.bulk.formats import to_reason
from app.bulk.records import RecordsError, Unparsable
from app.bulk.staging import OnConflict, Staging
from app.validation.batch import partition_rows

BATCH = 10_000
"""Rows that are read, checked and sent together."""


class Target(Struct, frozen=True):
    """Where records of a `kind` go. Its `columns` are fields of the kind."""

    table: str
    kind: type[Struct]
    columns: tuple[str, ...]
    rule: Callable[[Any], str | None] = lambda _: None
    """What is wrong with a record besides its fields."""
    suspect: Callable[[Sequence[Any]], str | None] = lambda _: None
    """What is wrong with a file, as its first records show."""
    is_slow: Callable[[Any], bool] = lambda _: False
    """Whether a record takes long to `complete`; a hundred of those are a batch."""
    complete: Callable[[Any], Awaitable[Any]] | None = None
    """Adds to a slow record what its columns still lack."""


class Outcome(Struct):
    read: int = 0
    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    rejected: int = 0


class ImportConflict(Exception):
    """An address is taken, and that was to be a failure: nothing was imported."""

    def __init__(self, line: int | None = None, first: int | None = None, count: int = 1) -> None:
        where = f"the address in line {line}" if line else "one"
        told = f"{where} is that of line {first}, too" if first else f"{where} is taken"
        more = f"; {count:,} records have an address that is taken or comes twice" if count > 1 else ""
        super().__init__(f"Nothing was imported: {told}{more}")


class Reject(Struct):
    line: int
    reason: str
    given: Any
    """What was read: of the kind, decoded for it, or Broken."""


class Batch(Struct):
    rows: list[tuple[int, Any]]
    rejects: list[Reject]


def batches(records: Iterable[tuple[int, Any]], target: Target) -> Iterator[Batch]:
    """Check records in batches. Raises: RecordsError."""
    is_first = True
    for pending in _gathered(records, target):
        batch = _check(pending, target)
        if is_first and (reason := target.suspect([row for _, row in batch.rows])):
            raise RecordsError(reason)
        is_first = False
        yield batch


def _gathered(records: Iterable[tuple[int, Any]], target: Target) -> Iterator[list[tuple[int, Any]]]:
    pending: list[tuple[int, Any]] = []
    cost = 0
    for record in records:
        pending.append(record)
        cost += 100 if target.is_slow(record[1]) else 1
        if cost >= BATCH:
            yield pending
            pending, cost = [], 0
    if pending:
        yield pending


def _check(pending: Sequence[tuple[int, Any]], target: Target) -> Batch:
    reasons = {line: given.reason for line, given in pending if type(given) is Unparsable}
    parsed = [(line, given) for line, given in pending if line not in reasons] if reasons else pending
    structs, errors = partition_rows(target.kind, [given for _, given in parsed])
    reasons |= {parsed[place][0]: to_reason(fields) for place, fields in errors.items()}
    rows = [(line, row) for (line, _), row in zip(parsed, structs, strict=True) if row is not None]
    if broken := {line: reason for line, row in rows if (reason := target.rule(row))}:
        rows, reasons = [(line, row) for line, row in rows if line not in broken], reasons | broken
    rejects = [Reject(line, reasons[line], given) for line, given in pending if line in reasons] if reasons else []
    return Batch(rows, rejects)


class Import:
    """One run. `fail` takes all rows in one transaction; `skip` and `update` commit after each batch."""

    def __init__(self, staging: Staging, target: Target, *, on_conflict: OnConflict, dry_run: bool) -> None:
        self._staging = staging
        self._target = target
        self._on_conflict = on_conflict
        self._dry_run = dry_run
        self.outcome = Outcome()
        self._with_ids = self._with_nulls = 0

    def notes(self) -> list[str]:
        """What whoever began this has to know besides."""
        told = {
            "the file holds no records": not self.outcome.read,
            f"ids are given anew, those in the file ({self._with_ids:,}) are not kept": self._with_ids,
            f"NULL or \\N came in as a text, in records ({self._with_nulls:,}); --null says which text stands for"
            " nothing": self._with_nulls,
        }
        return [note for note, is_so in told.items() if is_so]

    async def run(self, source: Iterator[Batch], on_batch: Callable[[Batch], None]) -> Outcome:
        """Take everything in. `on_batch` is called after each batch. Raises: ImportConflict."""
        if self._dry_run or self._on_conflict == "fail":
            async with self._staging.transaction():
                async for batch in _prefetched(source):
                    await self._stage(batch)
                    on_batch(batch)
                await self._finish()
        else:
            async for batch in _prefetched(source):
                async with self._staging.transaction():
                    staged = await self._stage(batch)
                    inserted, updated = await self._staging.merge(self._on_conflict)
                # Told only once it is stored.
                self._count(staged, inserted, updated)
                on_batch(batch)
        return self.outcome

    async def _finish(self) -> None:
        """Insert what is staged, or only look how that would go."""
        staged = self.outcome.read - self.outcome.rejected - self.outcome.skipped
        conflicts, line, first = await self._staging.conflicts() if self._dry_run else (0, None, None)
        if not self._dry_run:
            try:
                await self._staging.insert()
            except UniqueViolationError:
                count, line, first = await self._staging.conflicts()
                raise ImportConflict(line, first, count) from None
        elif conflicts and self._on_conflict == "fail":
            raise ImportConflict(line, first, conflicts)
        self._count(staged, staged - conflicts, conflicts if self._on_conflict == "update" else 0)

    def _count(self, staged: int, inserted: int, updated: int) -> None:
        self.outcome.inserted += inserted
        self.outcome.updated += updated
        self.outcome.skipped += staged - inserted - updated

    async def _stage(self, batch: Batch) -> int:
        """Stage the good rows; how many."""
        rows = await self._complete(batch.rows)
        self.outcome.read += len(batch.rows) + len(batch.rejects)
        self.outcome.rejected += len(batch.rejects)
        self.outcome.skipped += len(batch.rows) - len(rows)
        columns = attrgetter(*self._target.columns)
        staged = [(line, *columns(row)) for line, row in rows]
        self._with_ids += sum(row.id is not None for _, row in rows)
        self._with_nulls += sum("NULL" in cells or "\\N" in cells for cells in staged)
        await self._staging.add(staged)
        return len(rows)

    async def _complete(self, rows: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        """Complete slow rows, all at once, but none whose key is taken: a second run is not to hash again."""
        complete = self._target.complete
        if complete is None or self._dry_run or not any(self._target.is_slow(row) for _, row in rows):
            return rows
        keys = [getattr(row, self._staging.key) for _, row in rows]
        if self._on_conflict != "update" and (taken := await self._staging.taken(keys)):
            if self._on_conflict == "fail":
                raise ImportConflict(rows[min(taken)][0])
            rows = [row for place, row in enumerate(rows) if place not in taken]
        structs = await asyncio.gather(*(complete(row) if self._target.is_slow(row) else _same(row) for _, row in rows))
        return [(line, row) for (line, _), row in zip(rows, structs, strict=True)]


async def _same(row: msgspec.Struct) -> msgspec.Struct:
    return row


async def _prefetched(source: Iterator[Batch]) -> Any:
    """Read and check the next batch in a thread while PostgreSQL works on this one."""
    upcoming = asyncio.create_task(asyncio.to_thread(next, source, None))
    while (batch := await upcoming) is not None:
        upcoming = asyncio.create_task(asyncio.to_thread(next, source, None))
        yield batch
