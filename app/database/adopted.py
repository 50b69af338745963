"""Adopted: a database that another service made, before it is taken over, and what it keeps of it afterwards."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import cast

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, Table, Text, inspect, select

from app.database.history import HISTORY, revisions_of

KEPT = Table(
    "schema_kept",
    MetaData(),
    Column("table_name", Text),
    Column("name", Text),
    PrimaryKeyConstraint("table_name", "name", name="pk_schema_kept"),
)
"""What tables had beside ours when they were adopted: columns, indexes, constraints."""

VERSION_TABLES = ("alembic_version", "schema_version")
"""Where the revision is, and where it is if another project has its own in the first."""


def refuse_foreign(ctx: MigrationContext, heads: Collection[str], tables: Set[str]) -> None:
    """Refuse those of `tables` that are another service's, as no migration of ours made them. Raises: CommandError."""
    if ctx.connection is None or revisions_of(cast("ScriptDirectory", ctx.script)).intersection(heads):
        return
    there = set(inspect(ctx.connection).get_table_names())
    if not there & {HISTORY.name, KEPT.name} and (theirs := there & tables):
        raise CommandError(
            f"There is a table {max(theirs)} of another service: `litestar database adopt` takes it over"
        )


def version_table(connection: Connection) -> str:
    """Where this database keeps our revision."""
    look = inspect(connection)
    return VERSION_TABLES[look.has_table(KEPT.name) and look.has_table(VERSION_TABLES[1])]


def kept(connection: Connection) -> frozenset[tuple[str, str]]:
    """What of this database is somebody else's."""
    if not inspect(connection).has_table(KEPT.name):
        return frozenset()
    return frozenset((row.table_name, row.name) for row in connection.execute(select(KEPT)))
