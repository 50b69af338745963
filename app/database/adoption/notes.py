"""Notes: what stays as it is, and what of it somebody should know."""

from __future__ import annotations

from collections.abc import Iterator

from app.database.adoption.changes import retyped
from app.database.adoption.found import Found, Surroundings
from app.database.adoption.indexes import kept_name
from app.database.adoption.words import listed, quoted

_FLAGS = {"is_active": "active", "is_superuser": "is_admin"}
"""What a well-known template calls two columns of ours."""


def notes(table: Found, around: Surroundings) -> Iterator[str]:
    yield from _kept(table, around)
    yield from _references(table)
    created = table.columns.get("created_at")
    if created is not None and "without" in created.type and around.timezone not in ("UTC", "Etc/UTC", "GMT"):
        yield (
            "the old service's naive times are taken in its session's time zone from now on, which seems to be"
            f" {around.timezone}: ALTER ROLE ... SET timezone = 'UTC' for the role that it has"
        )
    if created is not None and created.nullable:
        yield "an old service that writes NULL into created_at is refused from now on"
    if table.publications:
        yield (
            f"published by {listed(table.publications)}: subscribers need the new and the wider columns before and,"
            " where all tables are published, the new tables"
        )


def _kept(table: Found, around: Surroundings) -> Iterator[str]:
    if table.more:
        yield f"kept: {listed(table.more)}"
    if flags := _FLAGS.keys() & table.columns.keys():
        told = ", ".join(f"{_FLAGS[name]} = {name}" for name in sorted(flags))
        update = f"UPDATE {table.relation} SET {told}"  # noqa: S608  # said, not done
        yield f"{listed(sorted(flags))} mean nothing here: after `upgrade`, {update}"
    if indexes := [
        kept_name(index, table, around.relations) + (" (unique)" if index.unique else "")
        for index in table.indexes
        if not index.is_key and not index.owns_addresses
    ]:
        yield f"kept indexes: {listed(indexes)}"
    if table.checks:
        yield f"kept checks, which the service's rows have to pass, too, or it answers 500: {listed(table.checks)}"
    if table.triggers:
        yield f"kept triggers, which the service's writes set off, too: {listed(table.triggers)}"
    if table.policies:
        yield f"kept policies, of which an owner sees nothing, but another role its rows only: {listed(table.policies)}"


def _references(table: Found) -> Iterator[str]:
    for reference in table.references:
        column, kind = reference.columns[0], reference.types[0]
        told = f"{reference.table}.{column} refers to it and stays {kind}"
        if kind != "bigint":
            told += f": before ids outgrow that, ALTER TABLE {reference.table} ALTER {quoted(column)} TYPE bigint"
        if "id" in retyped(table):
            told += "; its rows are looked up again meanwhile, so it waits as long"
        yield told
