"""Indexes: ours are made, those that have their names are renamed, and no other may keep addresses apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from app.database.adoption.found import Found, Index
from app.database.adoption.words import listed, quoted, set_aside


class Change(NamedTuple):
    sentence: str
    statements: tuple[str, ...] = ()


def _wanted(table: Found) -> dict[str, tuple[str, str]]:
    """Every index that the first migrations make: its statement, and how PostgreSQL tells it."""

    def made(name: str, columns: str, using: str = "") -> str:
        kind = "UNIQUE INDEX" if name == table.shape.unique else "INDEX"
        return f"CREATE {kind} {name} ON {table.relation}{using} ({columns})"

    wanted = {table.shape.unique: "lower(email)", **table.shape.indexes}
    told = {name: columns.replace("(email)", "((email)::text)") for name, columns in wanted.items()}
    return {name: (made(name, columns), made(name, told[name], " USING btree")) for name, columns in wanted.items()}


def _is_made(index: Index, table: Found) -> bool:
    """Whether somebody has made an index of ours before, so that this need not wait for it."""
    return index.definition == _wanted(table).get(index.name, ("", ""))[1]


def old_indexes(table: Found, taken: list[str]) -> Iterator[Change]:
    for index in table.indexes:
        if index.is_key or _is_made(index, table):
            continue
        if index.owns_addresses:
            of_table = f"ALTER TABLE {table.relation} DROP CONSTRAINT "
            drop = of_table if index.constraint else f"DROP INDEX {quoted(table.schema)}."
            yield Change("", (drop + quoted(index.name),))
        elif index.name in table.shape.relations:
            aside = set_aside(index.name, taken)
            yield Change(
                f"the index {index.name} is called {aside}, as ours needs the name",
                (f"ALTER INDEX {quoted(table.schema)}.{quoted(index.name)} RENAME TO {quoted(aside)}",),
            )


def new_indexes(table: Found, taken: list[str]) -> Iterator[Change]:
    made = [index.name for index in table.indexes if _is_made(index, table)]
    new = {name: statements[0] for name, statements in _wanted(table).items() if name not in made}
    if new:
        yield Change(f"made: {listed(new)}", tuple(new.values()))
    for index in table.indexes:
        if index.owns_addresses and not _is_made(index, table):
            name = kept_name(index, table, taken)
            plain = f"CREATE INDEX {quoted(name)} ON {table.relation} USING {index.definition.partition(' USING ')[2]}"
            yield Change(
                f"the unique index {index.name} goes on as {name}, not unique, for what the old service looks up:"
                " ours keeps addresses apart, whatever their letter case",
                (plain,),
            )


def kept_name(index: Index, table: Found, taken: list[str]) -> str:
    """What an index of theirs is called in the end."""
    return (
        set_aside(index.name, taken)
        if index.name in table.shape.relations and not _is_made(index, table)
        else index.name
    )
