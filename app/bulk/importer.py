"""Importer: a stream of records into a table, in batches, with an account of what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, BinaryIO

from asyncpg import UniqueViolationError
from msgspec import Struct

from app.bulk.batches import Batch, lacks_secret, prefetched
from app.bulk.dataset import Target
from app.bulk.notes import Notes
from app.bulk.outcome import ImportConflict, Outcome, taken
from app.bulk.staging import OnConflict, Staging


class Terms(Struct, frozen=True):
    """How an import goes."""

    on_conflict: OnConflict
    dry_run: bool = False
    keeps_ids: bool = False
    takes_bare: bool = False
    """Whether records without a password are taken, who are nobody here yet."""
    nulls: Sequence[str] = ()
    ids: BinaryIO | None = None
    """Where old and new ids go, side by side."""


class Import:
    """One run. `fail` takes all rows in one transaction; `skip` and `update` commit after each batch."""

    def __init__(self, staging: Staging, target: Target, terms: Terms) -> None:
        self._staging = staging
        self._target = target
        self._terms = terms
        self.outcome = Outcome()
        keeps_ids = terms.keeps_ids or terms.ids is not None
        self.notes = Notes(flag=target.flag, keeps_ids=keeps_ids, nulls=terms.nulls)
        self._has_ids_written = False

    async def run(
        self, source: Iterator[Batch], on_batch: Callable[[Batch], None], on_storing: Callable[[], None]
    ) -> None:
        """Take everything in. `on_batch` is called after each batch. Raises: ImportConflict."""
        if self._terms.dry_run or self._terms.on_conflict == "fail":
            async with self._staging.transaction():
                async for batch in prefetched(source):
                    await self._stage(batch)
                    on_batch(batch)
                on_storing()
                await self._finish()
        else:
            async for batch in prefetched(source):
                async with self._staging.transaction():
                    staged = await self._stage(batch)
                    inserted, updated = await self._merge()
                    await self._write_ids()
                # Told only once it is stored.
                self._count(staged, inserted, updated)
                on_batch(batch)

    async def _merge(self) -> tuple[int, int]:
        """Raises: ImportConflict."""
        condition, told = self._target.last if self._terms.on_conflict == "update" else ("", "")
        try:
            # Before any other row, as everybody does who changes one of these.
            ids = await self._staging.lock(condition) if condition else None
            counts = await self._staging.merge(self._terms.on_conflict)
            if ids and (line := await self._staging.taking_the_last(ids, condition)):
                raise ImportConflict(f"line {line}: {told}")
            return counts
        except UniqueViolationError:
            line = await self._staging.belonging_to_others()
            raise ImportConflict(f"the address in line {line} belongs to another id") from None

    async def _finish(self) -> None:
        """Insert what is staged, or only look how that would go."""
        staged = self.outcome.read - self.outcome.rejected - self.outcome.skipped
        conflicts = 0
        if not self._terms.dry_run:
            try:
                await self._staging.insert()
            except UniqueViolationError:
                await self._refuse_conflicts()
                raise taken() from None
            await self._write_ids()
        elif self._terms.on_conflict == "fail":
            await self._refuse_conflicts()
        else:
            conflicts, _, _ = await self._staging.conflicts()
        self._count(staged, staged - conflicts, conflicts if self._terms.on_conflict == "update" else 0)

    async def _refuse_conflicts(self) -> None:
        """Raises: ImportConflict."""
        for what in ("address", "id") if self._terms.keeps_ids else ("address",):
            found = await self._staging.conflicts(by_id=what == "id")
            if found[0]:
                raise taken(found[1], found[2], found[0], what=what)

    async def _write_ids(self) -> None:
        if self._terms.ids:
            await self._staging.write_ids(self._terms.ids.write, is_first=not self._has_ids_written)
            self._has_ids_written = True

    def _count(self, staged: int, inserted: int, updated: int) -> None:
        self.outcome.inserted += inserted
        self.outcome.updated += updated
        self.outcome.skipped += staged - inserted - updated

    async def _stage(self, batch: Batch) -> int:
        """Stage the good rows; how many."""
        read = len(batch.rows) + len(batch.rejects)
        await self._refuse_unknown(batch)
        rows = await self._complete(batch.rows)
        self.outcome.read += read
        self.outcome.rejected += len(batch.rejects)
        self.outcome.skipped += len(batch.rows) - len(rows)
        columns = attrgetter(*self._staging.columns)
        staged = [(line, None if row.id is None else str(row.id), *columns(row)) for line, row in rows]
        self.notes.add(rows, staged, batch.rejects)
        await self._staging.add(staged)
        return len(rows)

    async def _refuse_unknown(self, batch: Batch) -> None:
        """Refuse who has no password and is nobody here whom an update could change."""
        bare = [row for row in batch.rows if lacks_secret(row[1], self._target)]
        if not bare or self._terms.takes_bare:
            return
        key = "id" if self._terms.keeps_ids else self._staging.key
        there = await self._staging.taken([getattr(row, key) for _, row in bare], by_id=self._terms.keeps_ids)
        told = f"nobody here has this {key}, so {' or '.join(self._target.secrets)} is required"
        batch.reject({line: told for place, (line, _) in enumerate(bare) if place not in there})

    async def _complete(self, rows: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        """Complete slow rows, all at once, but none whose key is taken: a second run is not to hash again."""
        complete = self._target.complete
        if complete is None or self._terms.dry_run or not any(self._target.is_slow(row) for _, row in rows):
            return rows
        keys = [getattr(row, self._staging.key) for _, row in rows]
        if self._terms.on_conflict != "update" and (there := await self._staging.taken(keys)):
            if self._terms.on_conflict == "fail":
                raise taken(rows[min(there)][0])
            rows = [row for place, row in enumerate(rows) if place not in there]
        slow = [place for place, (_, row) in enumerate(rows) if self._target.is_slow(row)]
        structs = await asyncio.gather(*(complete(rows[place][1]) for place in slow))
        for place, row in zip(slow, structs, strict=True):
            rows[place] = (rows[place][0], row)
        return rows
