"""Measure: how long a table is going to be locked, from a copy of some of its rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from app.database.adoption.changes import costly
from app.database.adoption.found import Found
from app.database.adoption.rows import SAMPLE
from app.database.adoption.words import counted, listed, quoted

_LONG = 5.0
"""Seconds that are worth some work beforehand."""
_EACH = 1.5
"""How much longer a row takes in a large table than in a small copy, as it was seen with 200,000."""
_COPY = "pg_temp.sample"
# The version, the key of an address, the index for searches (which takes as long as three others), and the counts.
_UPGRADE = (
    f"ALTER TABLE {_COPY} ALTER COLUMN version TYPE bigint USING version + 1",
    *[f"CREATE INDEX ON {_COPY} (pg_temp.address_key(email))"] * 4,
    f"SELECT count(*) FROM {_COPY}",  # noqa: S608
)


class Wait(Struct, frozen=True):
    """Seconds of the takeover, and of the upgrade after it."""

    table: str
    seconds: float
    upgrade: float
    sample: int
    widens: bool


def measure(connection: Connection, table: Found, rows: int, *, widens: bool) -> Wait:
    """Do the costly parts on a copy that nobody sees, and that is gone afterwards."""
    names = ", ".join(quoted(name) for name in table.columns)
    copied = f"INSERT INTO {_COPY} ({names}) SELECT {names} FROM {table.relation} LIMIT {SAMPLE}"  # noqa: S608  # quoted
    with connection.begin_nested() as copying:
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE sample (LIKE {table.relation} INCLUDING INDEXES)")
        connection.exec_driver_sql(copied)
        seconds = _time(connection, costly(msgspec.structs.replace(table, relation=_COPY)))
        upgrade = _time(connection, _UPGRADE)
        copying.rollback()
    sample = min(rows, SAMPLE)
    scale = _EACH * rows / max(sample, 1)
    return Wait(table.name, seconds * scale, upgrade * scale, sample, widens)


def _time(connection: Connection, statements: Iterable[str]) -> float:
    began = time.monotonic()
    for statement in statements:
        connection.exec_driver_sql(statement)
    return time.monotonic() - began


def waits(found: list[Wait]) -> Iterator[str]:
    """What a person is told of them."""
    seconds, upgrade = sum(one.seconds for one in found), sum(one.upgrade for one in found)
    measured = f"measured on a copy of {counted(sum(one.sample for one in found), 'row')}"
    yield f"nobody reads or writes {listed(one.table for one in found)} for about {_told(seconds)}, {measured}"
    yield f"`litestar database upgrade` then makes writes wait for about {_told(upgrade)} more"
    yield "either waits at most 5 s for the tables, and else does nothing: run it again"
    if any(one.seconds > _LONG and one.widens for one in found):
        yield "most of it is for the wider key: docs/cut-over.md says how to have that before, beside the writes"


def _told(seconds: float) -> str:
    if seconds < 1:
        return "a second"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
