"""Batches: records that are checked together, and those of them that are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from app.bulk.dataset import Target
from app.bulk.formats import to_reason
from app.bulk.records import Records
from app.bulk.source import RecordsError, Unparsable
from app.validation.batch import partition_rows

BATCH = 10_000
"""Rows that are read, checked and sent together."""
Record = tuple[int, Any, Any]


class Reject(Struct):
    line: int
    reason: str
    given: Any
    """What stands in the file: cells, what was decoded, or Unparsable."""


class Batch(Struct):
    rows: list[tuple[int, Any]]
    rejects: list[Reject]
    pending: Sequence[Record]

    def reject(self, reasons: Mapping[int, str]) -> None:
        """Refuse lines."""
        if reasons:
            self.rows = [row for row in self.rows if row[0] not in reasons]
            self.rejects += [Reject(line, reasons[line], raw) for line, raw, _ in self.pending if line in reasons]


def batches(
    records: Records, target: Target, *, may_lack_secrets: bool = False, needs_id: bool = False
) -> Iterator[Batch]:
    """Check records in batches. Raises: RecordsError."""
    is_first = True
    for pending in _gathered(records, target):
        if is_first and (reason := _suspicion(pending, records, target, may_lack_secrets)):
            raise RecordsError(reason)
        is_first = False
        yield _check(pending, target, may_lack_secrets, needs_id)


def _suspicion(pending: Sequence[Record], records: Records, target: Target, may_lack_secrets: bool) -> str | None:
    """What is wrong with all of a file, by its first records."""
    found = [fields for _, _, fields in pending if isinstance(fields, dict)]
    broken = [(line, raw.reason) for line, raw, _ in pending if isinstance(raw, Unparsable)]
    if len(broken) == len(pending) > 1:
        return f"no record can be read: line {broken[0][0]} {broken[0][1]}"
    unused = ", ".join(records.unused())
    lacking = [name for name in target.terms().required if not any(name in fields for fields in found)]
    if found and lacking and unused:
        return f"no record has {' or '.join(lacking)}; --map {lacking[0]}=COLUMN says where it stands; found: {unused}"
    has_secrets = any(name in fields for fields in found for name in target.secrets)
    if found and target.secrets and not may_lack_secrets and not has_secrets:
        return (
            f"no record has {' or '.join(target.secrets)}; --map {target.secrets[-1]}=COLUMN says where it stands,"
            f" --without-passwords takes accounts that have none until they are given one; found: {unused or 'no more'}"
        )
    return target.suspect(found)


def _gathered(records: Iterable[Record], target: Target) -> Iterator[list[Record]]:
    pending: list[Record] = []
    cost = 0
    for record in records:
        pending.append(record)
        cost += 100 if target.is_slow(record[2]) else 1
        if cost >= BATCH:
            yield pending
            pending, cost = [], 0
    if pending:
        yield pending


def _check(pending: Sequence[Record], target: Target, may_lack_secrets: bool, needs_id: bool) -> Batch:
    reasons = {line: given.reason for line, _, given in pending if type(given) is Unparsable}
    parsed = [(line, given) for line, _, given in pending if line not in reasons] if reasons else pending
    structs, errors = partition_rows(target.kind, [record[-1] for record in parsed])
    reasons |= {parsed[place][0]: to_reason(fields) for place, fields in errors.items()}
    rows = [(record[0], row) for record, row in zip(parsed, structs, strict=True) if row is not None]
    for line, row in rows:
        if reason := target.rule(row):
            reasons[line] = reason
        elif needs_id and getattr(row, "id", None) is None:
            reasons[line] = "id: required"
        elif not may_lack_secrets and lacks_secret(row, target):
            reasons[line] = f"either {' or '.join(target.secrets)} is required"
    batch = Batch(rows, [], pending)
    batch.reject(reasons)
    return batch


def lacks_secret(row: Any, target: Target) -> bool:
    return bool(target.secrets) and all(getattr(row, name) is None for name in target.secrets)


async def prefetched(source: Iterator[Batch]) -> AsyncIterator[Batch]:
    """Read and check the next batch in a thread while PostgreSQL works on this one."""
    upcoming = asyncio.create_task(asyncio.to_thread(next, source, None))
    while (batch := await upcoming) is not None:
        upcoming = asyncio.create_task(asyncio.to_thread(next, source, None))
        yield batch
