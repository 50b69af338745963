"""Stamp: what says that a database is ours from now on, and what of it is not."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from app.database.adopted import KEPT, VERSION_TABLES
from app.database.adoption.found import Found, Surroundings
from app.database.adoption.indexes import Change, kept_name
from app.database.adoption.shapes import FIRST_REVISION
from app.database.adoption.words import counted, literal
from app.database.history import HISTORY

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def stamp(around: Surroundings, found: list[Found]) -> Iterator[Change]:
    """Another project's revision stays where it is, for the old service looks for it when it starts."""
    table = VERSION_TABLES[bool(around.revisions)]
    revision = FIRST_REVISION if any(one.name == "users" for one in found) else None
    whose = f"alembic_version stays another project's ({', '.join(around.revisions)}): " if around.revisions else ""
    statements = [f"CREATE TABLE IF NOT EXISTS {table} (version_num text CONSTRAINT {table}_pkc PRIMARY KEY)"]
    statements += [" ".join(str(CreateTable(kind).compile(dialect=_dialect)).split()) for kind in (HISTORY, KEPT)]
    statements.append(f"GRANT SELECT ON {table}, {HISTORY.name}, {KEPT.name} TO PUBLIC")
    if revision is not None:
        statements += [_insert(table, [(revision,)]), _insert(f"{HISTORY.name} (revision)", [(revision,)])]
    yield Change(
        f"{whose}{table} says {revision or 'nothing yet'}, from where `litestar database upgrade` goes on",
        tuple(statements),
    )
    if kept := _kept(around, found):
        yield Change(
            f"{KEPT.name} has {counted(len(kept), 'name')} not of ours, which `litestar database check` leaves alone",
            (_insert(KEPT.name, kept),),
        )


def _insert(table: str, rows: list[tuple[str, ...]]) -> str:
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    return f"INSERT INTO {table} VALUES {values}"  # noqa: S608  # quoted


def _kept(around: Surroundings, found: list[Found]) -> list[tuple[str, ...]]:
    """Columns, indexes and foreign keys; of our own columns those that no model describes as they are."""
    kept: set[tuple[str, str]] = set()
    for table in found:
        theirs = [name for name in table.shape.texts if table.columns[name].default]
        if table.columns["id"].identity and table.sequence is not None and not table.sequence.usual:
            theirs.append("id")
        indexes = {kept_name(one, table, around.relations) for one in table.indexes if not one.is_key}
        indexes -= {table.shape.unique, *table.shape.indexes}
        kept |= {(table.name, name) for name in (*table.more, *theirs, *indexes, *table.own_references)}
    return sorted(kept)
