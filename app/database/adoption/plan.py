"""Plan: what a takeover does, or why it does nothing, in sentences and in SQL that are one and the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection

from app.database.adoption import catalogue, doubts, rows
from app.database.adoption.changes import changes, retyped
from app.database.adoption.found import Found, Surroundings
from app.database.adoption.indexes import Change
from app.database.adoption.measure import Wait, measure, waits
from app.database.adoption.notes import notes
from app.database.adoption.stamp import stamp
from app.database.adoption.words import counted, listed
from app.database.history import revisions_of
from app.database.migration_lock import TAKE_LOCK
from app.database.migrations import LIMITS


class Part(Struct, frozen=True):
    """What becomes of one table."""

    table: Found
    rows: int
    changes: list[Change]
    notes: list[str]
    wait: Wait

    def lines(self) -> Iterator[str]:
        yield f"{self.table.name}, {counted(self.rows, 'row')}:"
        yield from (f"  - {change.sentence}" for change in self.changes if change.sentence)
        yield from (f"  * {note}" for note in self.notes)


class Plan(Struct, frozen=True):
    """`nothing` says why there is nothing to do, `refusals` why nothing can be done."""

    nothing: str = ""
    refusals: list[str] = []
    parts: list[Part] = []
    stamp: list[Change] = []

    @property
    def statements(self) -> list[str]:
        """Who writes to a table that refers to ours comes to ours second, so its lock is taken first."""
        tables = ", ".join(dict.fromkeys([*self._referring(), *(part.table.relation for part in self.parts)]))
        every = [*(change for part in self.parts for change in part.changes), *self.stamp]
        return [
            f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE",
            *(one for change in every for one in change.statements),
        ]

    def _referring(self) -> Iterator[str]:
        for part in self.parts:
            if "id" in retyped(part.table):
                yield from (one.relation for one in part.table.references if one.owned and one.table != part.table.name)

    def sentences(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.lines()
        yield "the database:"
        yield from (f"  - {change.sentence}" for change in self.stamp)
        yield "how long it takes:"
        yield from (f"  - {line}" for line in waits([part.wait for part in self.parts]))

    def script(self) -> Iterator[str]:
        """For psql, which goes on after an error, but rolls back in the end."""
        yield from (f"-- {line}" for line in self.sentences())
        for statement in ("BEGIN", *LIMITS, TAKE_LOCK, *self.statements, "COMMIT"):
            yield f"{statement};"


def make_plan(connection: Connection, script: ScriptDirectory, address_key: str) -> Plan:
    """Look, and decide. `address_key` makes the function of that name in `pg_temp`."""
    around = catalogue.surroundings(connection)
    if around.adopted or set(around.revisions or ()).intersection(revisions_of(script)):
        return Plan(nothing="Nothing to do: this database is one of ours already")
    found = catalogue.tables(connection)
    if not found:
        return _without_tables(around)
    refusals = [*doubts.of_database(around, found, functions_of(script))]
    for table in found:
        refusals += doubts.of_table(table, around)
    if around.may_have_temporary and around.writable:
        connection.exec_driver_sql(address_key)
        for table in found:
            if table.kind == "r" and table.readable and not table.hides_rows:
                refusals += rows.of_rows(connection, table)
    if refusals:
        return Plan(refusals=refusals)
    return Plan(parts=[_part(connection, table, around) for table in found], stamp=list(stamp(around, found)))


def functions_of(script: ScriptDirectory) -> frozenset[str]:
    """The names of what migrations make."""
    sources = [Path(revision.path).read_text() for revision in script.walk_revisions()]
    return frozenset(name for source in sources for name in re.findall(r"FUNCTION (\w+)\(", source))


def _part(connection: Connection, table: Found, around: Surroundings) -> Part:
    made = list(changes(table, around.relations))
    number = rows.count(connection, table)
    wait = measure(connection, table, number, widens="id" in retyped(table))
    return Part(table, number, made, [*notes(table, around), *rows.of_hashes(connection, table)], wait)


def _without_tables(around: Surroundings) -> Plan:
    if around.elsewhere:
        told = (
            f"There is no table users here, but {listed(around.elsewhere)}: name the schema in DATABASE_URL"
            " (?options=-csearch_path%3D...), give the table the name users, or import its rows"
        )
        return Plan(refusals=[told])
    return Plan(nothing="Nothing to do: there are no tables to take over, `litestar database upgrade` makes new ones")
