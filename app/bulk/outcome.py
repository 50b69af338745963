"""Outcome: what became of the records of an import, or why there was none."""

from __future__ import annotations

from msgspec import Struct


class Outcome(Struct):
    read: int = 0
    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    rejected: int = 0


class ImportConflict(Exception):
    """What is stored is in the way, and that was to be a failure: nothing was imported, or nothing more."""


def taken(
    line: int | None = None, first: int | None = None, count: int = 1, *, what: str = "address"
) -> ImportConflict:
    """An address or an id is taken."""
    where = f"the {what} in line {line}" if line else f"an {what}"
    told = f"{where} is that of line {first}, too" if first else f"{where} is taken"
    more = f"; {count:,} records have an {what} that is taken or comes twice" if count > 1 else ""
    return ImportConflict(f"{told}{more}")
