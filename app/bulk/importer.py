"""Imports: a stream of records into a table, in batches, with an account of what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from asyncpg import UniqueViolationError
from msgspec import Struct

from app.bulk.dataset import Dataset
from app.bulk.formats import Broken, as_reason
from app.bulk.staging import OnConflict, Staging
from app.passwords import Passwords
from app.validation.batch import sift

BATCH = 10_000
"""Rows that are read, checked and sent together."""


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


def batches(records: Iterator[tuple[int, Any]], resource: Dataset) -> Iterator[Batch]:
    gathered: list[tuple[int, Any]] = []
    weight = 0
    for record in records:
        gathered.append(record)
        weight += 100 if resource.is_slow(record[1]) else 1
        if weight >= BATCH:
            yield _check(gathered, resource)
            gathered, weight = [], 0
    if gathered:
        yield _check(gathered, resource)


def _check(gathered: Sequence[tuple[int, Any]], resource: Dataset) -> Batch:
    rejects = [(line, given.reason) for line, given in gathered if type(given) is Broken]
    whole = [(line, given) for line, given in gathered if type(given) is not Broken] if rejects else gathered
    made, wrong = sift(resource.kind, [given for _, given in whole])
    rejects += [(whole[place][0], as_reason(fields)) for place, fields in wrong.items()]
    rows = [(line, row) for (line, _), row in zip(whole, made, strict=True) if row is not None]
    if broken := [(line, reason) for line, row in rows if (reason := resource.rule(row))]:
        lines = {line for line, _ in broken}
        rows, rejects = [(line, row) for line, row in rows if line not in lines], rejects + broken
    return Batch(rows, sorted(rejects))


class Import(Struct):
    """One run. `fail` takes all rows in one transaction; `skip` and `update` commit after each batch."""

    staging: Staging
    resource: Dataset
    passwords: Passwords
    on_conflict: OnConflict
    dry_run: bool
    outcome: Outcome

    async def run(self, source: Iterator[Batch], report: Callable[[Batch], None]) -> None:
        """Take everything in. `report` is called after each batch. Raises: Conflict."""
        if self.dry_run or self.on_conflict == "fail":
            async with self.staging.transaction():
                async for batch in _ahead(source):
                    await self._stage(batch)
                    report(batch)
                await self._finish()
        else:
            async for batch in _ahead(source):
                async with self.staging.transaction():
                    staged = await self._stage(batch)
                    inserted, updated = await self.staging.merge(self.on_conflict)
                # Told only once it is stored.
                self._settle(staged, inserted, updated)
                report(batch)

    async def _finish(self) -> None:
        """Insert what is staged, or only look how that would go."""
        staged = self.outcome.read - self.outcome.rejected - self.outcome.skipped
        conflicts, line = await self.staging.conflicts() if self.dry_run else (0, None)
        if not self.dry_run:
            try:
                await self.staging.insert()
            except UniqueViolationError:
                raise Conflict((await self.staging.conflicts())[1]) from None
        elif conflicts and self.on_conflict == "fail":
            raise Conflict(line)
        self._settle(staged, staged - conflicts, conflicts if self.on_conflict == "update" else 0)

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
        columns = attrgetter(*self.resource.columns)
        await self.staging.add([(line, *columns(row)) for line, row in rows])
        return len(rows)

    async def _completed(self, rows: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        """Complete slow rows, all at once, but none whose address is taken: a second run is not to hash again."""
        complete, is_slow = self.resource.complete, self.resource.is_slow
        if complete is None or self.dry_run or not any(is_slow(row) for _, row in rows):
            return rows
        if self.on_conflict != "update" and (taken := await self.staging.taken([row.email for _, row in rows])):
            if self.on_conflict == "fail":
                raise Conflict(rows[min(taken)][0])
            rows = [row for place, row in enumerate(rows) if place not in taken]
        made = iter(await asyncio.gather(*(complete(row, self.passwords) for _, row in rows if is_slow(row))))
        return [(line, next(made) if is_slow(row) else row) for line, row in rows]


async def _ahead(source: Iterator[Batch]) -> Any:
    """Read and check the next batch in a thread while PostgreSQL works on this one."""
    coming = asyncio.create_task(asyncio.to_thread(next, source, None))
    while (batch := await coming) is not None:
        coming = asyncio.create_task(asyncio.to_thread(next, source, None))
        yield batch
