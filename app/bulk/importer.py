"""Imports: a stream of records into a table, in batches, with an account of what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from asyncpg import UniqueViolationError
from msgspec import Struct

from app.bulk.formats import Broken, as_reason
from app.bulk.staging import OnConflict, Staging
from app.validation.batch import sift

BATCH = 10_000
"""Rows that are read, checked and sent together."""


class Target(Struct, frozen=True):
    """Where records of a `kind` go. Its `columns` are fields of the kind."""

    table: str
    kind: type[Struct]
    columns: tuple[str, ...]
    rule: Callable[[Any], str | None] = lambda _: None
    """What is wrong with a record besides its fields."""
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


class Conflict(Exception):
    """An address is taken, and that was to be a failure: nothing was imported."""

    def __init__(self, line: int | None = None) -> None:
        super().__init__("Nothing was imported: " + (f"the address in line {line}" if line else "one") + " is taken")


class Batch(Struct):
    rows: list[tuple[int, Any]]
    rejects: list[tuple[int, str]]


def batches(records: Iterator[tuple[int, Any]], target: Target) -> Iterator[Batch]:
    """Check records in batches."""
    gathered: list[tuple[int, Any]] = []
    weight = 0
    for record in records:
        gathered.append(record)
        weight += 100 if target.is_slow(record[1]) else 1
        if weight >= BATCH:
            yield _check(gathered, target)
            gathered, weight = [], 0
    if gathered:
        yield _check(gathered, target)


def _check(gathered: Sequence[tuple[int, Any]], target: Target) -> Batch:
    rejects = [(line, given.reason) for line, given in gathered if type(given) is Broken]
    whole = [(line, given) for line, given in gathered if type(given) is not Broken] if rejects else gathered
    made, wrong = sift(target.kind, [given for _, given in whole])
    rejects += [(whole[place][0], as_reason(fields)) for place, fields in wrong.items()]
    rows = [(line, row) for (line, _), row in zip(whole, made, strict=True) if row is not None]
    if broken := [(line, reason) for line, row in rows if (reason := target.rule(row))]:
        lines = {line for line, _ in broken}
        rows, rejects = [(line, row) for line, row in rows if line not in lines], rejects + broken
    return Batch(rows, sorted(rejects))


class Import:
    """One run. `fail` takes all rows in one transaction; `skip` and `update` commit after each batch."""

    def __init__(self, staging: Staging, target: Target, *, on_conflict: OnConflict, dry_run: bool) -> None:
        self._staging = staging
        self._target = target
        self._on_conflict = on_conflict
        self._dry_run = dry_run
        self.outcome = Outcome()

    async def run(self, source: Iterator[Batch], report: Callable[[Batch], None]) -> Outcome:
        """Take everything in. `report` is called after each batch. Raises: Conflict."""
        if self._dry_run or self._on_conflict == "fail":
            async with self._staging.transaction():
                async for batch in _ahead(source):
                    await self._stage(batch)
                    report(batch)
                await self._finish()
        else:
            async for batch in _ahead(source):
                async with self._staging.transaction():
                    staged = await self._stage(batch)
                    inserted, updated = await self._staging.merge(self._on_conflict)
                # Told only once it is stored.
                self._settle(staged, inserted, updated)
                report(batch)
        return self.outcome

    async def _finish(self) -> None:
        """Insert what is staged, or only look how that would go."""
        staged = self.outcome.read - self.outcome.rejected - self.outcome.skipped
        conflicts, line = await self._staging.conflicts() if self._dry_run else (0, None)
        if not self._dry_run:
            try:
                await self._staging.insert()
            except UniqueViolationError:
                raise Conflict((await self._staging.conflicts())[1]) from None
        elif conflicts and self._on_conflict == "fail":
            raise Conflict(line)
        self._settle(staged, staged - conflicts, conflicts if self._on_conflict == "update" else 0)

    def _settle(self, staged: int, inserted: int, updated: int) -> None:
        self.outcome.inserted += inserted
        self.outcome.updated += updated
        self.outcome.skipped += staged - inserted - updated

    async def _stage(self, batch: Batch) -> int:
        """Stage the good rows; how many."""
        rows = await self._completed(batch.rows)
        self.outcome.read += len(batch.rows) + len(batch.rejects)
        self.outcome.rejected += len(batch.rejects)
        self.outcome.skipped += len(batch.rows) - len(rows)
        columns = attrgetter(*self._target.columns)
        await self._staging.add([(line, *columns(row)) for line, row in rows])
        return len(rows)

    async def _completed(self, rows: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        """Complete slow rows, all at once, but none whose key is taken: a second run is not to hash again."""
        complete = self._target.complete
        if complete is None or self._dry_run or not any(self._target.is_slow(row) for _, row in rows):
            return rows
        keys = [getattr(row, self._staging.key) for _, row in rows]
        if self._on_conflict != "update" and (taken := await self._staging.taken(keys)):
            if self._on_conflict == "fail":
                raise Conflict(rows[min(taken)][0])
            rows = [row for place, row in enumerate(rows) if place not in taken]
        made = await asyncio.gather(*(complete(row) if self._target.is_slow(row) else _same(row) for _, row in rows))
        return [(line, row) for (line, _), row in zip(rows, made, strict=True)]


async def _same(row: msgspec.Struct) -> msgspec.Struct:
    return row


async def _ahead(source: Iterator[Batch]) -> Any:
    """Read and check the next batch in a thread while PostgreSQL works on this one."""
    coming = asyncio.create_task(asyncio.to_thread(next, source, None))
    while (batch := await coming) is not None:
        coming = asyncio.create_task(asyncio.to_thread(next, source, None))
        yield batch
