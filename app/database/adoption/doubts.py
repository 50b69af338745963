"""Doubts: why a table cannot be taken over, each in a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator

from app.database.adoption.changes import retyped
from app.database.adoption.found import Found, Surroundings
from app.database.adoption.shapes import SHAPES, relations_of
from app.database.adoption.words import listed, quoted
from app.database.history import HISTORY
from app.database.model import Model

_KINDS = {"v": "a view", "m": "a materialized view", "p": "partitioned", "f": "a foreign table"}
INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = ("character varying", "character(", "text", "citext")
_NEEDED = "is there already, and the service needs"
_AGAIN = "drop that before, and make it again afterwards"


def is_text(kind: str) -> bool:
    return kind.rpartition(".")[2].startswith(_TEXTS)


def needed_relations() -> frozenset[str]:
    """Names of the tables and indexes that the service makes."""
    made = map(relations_of, (HISTORY, *Model.metadata.sorted_tables))
    return frozenset(("schema_version",)).union(*made, *(shape.relations for shape in SHAPES))


def of_database(around: Surroundings, found: list[Found], functions: frozenset[str]) -> Iterator[str]:
    """`functions` are those that migrations make."""
    if not around.writable:
        yield "The database takes no writes: connect to the primary"
    if around.schema is None:
        yield "search_path names no schema that exists: say ?options=-csearch_path%3D... in DATABASE_URL"
    for table in found:
        if around.schema not in (None, table.schema):
            path = f"?options=-csearch_path%3D{table.schema}"
            told = f"{table.name} is in the schema {table.schema}, new tables would go to {around.schema}"
            yield f"{told}: say {path} in DATABASE_URL"
    if around.schema is not None and not around.may_create:
        grant = f"GRANT CREATE ON SCHEMA {quoted(around.schema)} TO {quoted(around.role)}"
        yield f"The role {around.role} may not create tables here: {grant}"
    if not around.may_have_temporary:
        grant = f"GRANT TEMPORARY ON DATABASE {quoted(around.database)} TO {quoted(around.role)}"
        yield f"The role {around.role} may not have temporary tables, which the check needs: {grant}"
    theirs = {name for table in found for name in (table.name, *(index.name for index in table.indexes))}
    for name in sorted(needed_relations().intersection(around.relations) - theirs):
        yield f"{name} {_NEEDED} that name: rename it first"
    for name in sorted(functions.intersection(around.functions)):
        yield f"The function {name} {_NEEDED} that name: rename it first"


def of_table(table: Found, around: Surroundings) -> Iterator[str]:
    """What the catalogue alone says against a table."""
    model = Model.metadata.tables.get(table.name)
    ours = [] if model is None else list(model.columns.keys())
    if table.kind != "r":
        yield f"{table.name} is {_KINDS.get(table.kind, 'no table')}, not an ordinary table"
        return
    yield from _of_rights(table, around)
    yield from _of_key(table, imported=bool(ours))
    yield from _of_columns(table, ours)
    yield from _of_indexes(table)
    changing = retyped(table)
    for column, thing in table.dependents:
        if column in changing:
            yield f"{table.name}.{column} gets another type, which PostgreSQL refuses because of {thing}: {_AGAIN}"
    for thing in table.composites:
        yield f"{table.name} gets other columns, which PostgreSQL refuses because of {thing}: {_AGAIN}"
    for trigger in sorted(table.shape.triggers.intersection(table.triggers)):
        yield f"The trigger {trigger} of {table.name} {_NEEDED} that name: rename it first"


def _of_rights(table: Found, around: Surroundings) -> Iterator[str]:
    if not table.owned:
        grant = f"GRANT {quoted(table.owner)} TO {quoted(around.role)}"
        yield f"{table.name} belongs to {table.owner}, who alone may change it: {grant}, or come as {table.owner}"
    if not table.readable:
        yield f"{table.name} cannot be read: GRANT SELECT ON {table.relation} TO {quoted(around.role)}"
    if table.hides_rows:
        yield f"Row security hides rows of {table.name} from {around.role}: come as a role with BYPASSRLS"
    if table.inherits:
        yield f"{table.name} inherits, or is inherited from: ALTER TABLE ... NO INHERIT first"
    if table.unlogged:
        yield f"{table.name} is not logged, and would be empty after a crash: ALTER TABLE {table.relation} SET LOGGED"


def _of_key(table: Found, *, imported: bool) -> Iterator[str]:
    name, key, sequence = table.name, table.columns.get("id"), table.sequence
    if key is None:
        yield f"{name}.id is missing: it must be the key, an integer"
    elif key.type not in INTEGERS:
        told = f": `litestar {name} import` takes such rows" if imported else ""
        yield f"{name}.id is of the type {key.type}, and must be an integer{told}"
    elif table.key != ["id"]:
        yield f"The primary key of {name} is {f'({listed(table.key)})' if table.key else 'missing'}, and must be (id)"
    elif table.key_is_deferrable and table.key_name is not None:
        make = f"DROP CONSTRAINT {quoted(table.key_name)}, ADD PRIMARY KEY (id)"
        told = "is deferrable, and no table could refer to it"
        yield f"The primary key of {name} {told}: ALTER TABLE {table.relation} {make}"
    elif not key.identity and sequence is None:
        yield (
            f"{name}.id takes its numbers from {key.default or 'nowhere'}, and must have a sequence: ALTER TABLE"
            f" {table.relation} ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY, set above the greatest id"
        )
    elif sequence is not None and not sequence.owned:
        schema, alter = quoted(table.schema), f"ALTER SEQUENCE {quoted(sequence.schema)}.{quoted(sequence.name)}"
        move = "" if sequence.schema == table.schema else f"{alter} SET SCHEMA {schema}; "
        whose = f"{move}ALTER SEQUENCE {schema}.{quoted(sequence.name)} OWNED BY {table.relation}.id"
        yield f"{name}.id takes its numbers from the sequence {sequence.name}, which is not its own: {whose}"
    elif sequence is not None and sequence.step != 1:
        yield f"The sequence {sequence.name} counts in steps of {sequence.step}: ALTER SEQUENCE ... INCREMENT BY 1"


def _of_columns(table: Found, ours: list[str]) -> Iterator[str]:
    name = table.name
    for column in table.shape.texts:
        if column not in table.columns:
            yield f"{name}.{column} is missing: add it, NOT NULL, with a value in each row"
        elif not is_text(table.columns[column].type):
            yield f"{name}.{column} is of the type {table.columns[column].type}, and must be text"
    created = table.columns.get("created_at")
    if created is not None and not created.type.startswith("timestamp"):
        yield f"{name}.created_at is of the type {created.type}, and must be a timestamp"
    for one in table.columns.values():
        if one.name in table.shape.columns:
            if one.generated:
                drop = f"ALTER TABLE {table.relation} ALTER COLUMN {one.name} DROP EXPRESSION"
                yield f"{name}.{one.name} is generated, and must take what it is given: {drop}"
        elif one.name in ("version", *ours):
            yield f"{name}.{one.name} {_NEEDED} a column of that name: rename it first"
        elif not (one.nullable or one.default or one.identity):
            yield (
                f"{name}.{one.name} has no default, and the service does not fill it: ALTER TABLE {table.relation}"
                f" ALTER COLUMN {quoted(one.name)} SET DEFAULT ..., or DROP NOT NULL"
            )


def _of_indexes(table: Found) -> Iterator[str]:
    for index in table.indexes:
        if not index.valid:
            yield f"The index {index.name} is not valid, its making was interrupted: drop it, or make it anew"
        if index.owns_addresses and index.identifies_replicas:
            alter = f"ALTER TABLE {table.relation} REPLICA IDENTITY DEFAULT"
            yield f"{index.name} identifies the rows of {table.name} to subscribers, and is to be replaced: {alter}"
    for reference in table.references:
        if "email" in reference.referred:
            yield f"{reference.table}.{reference.columns[0]} refers to {table.name}.email, and may only refer to its id"
