"""Catalogue: what PostgreSQL knows of the tables that may be taken over, and of what hangs on them."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.database.adoption import queries
from app.database.adoption.found import Column, Found, Index, Reference, Sequence, Surroundings
from app.database.adoption.shapes import SHAPES, Shape

T = TypeVar("T")


def _many(connection: Connection, query: str, kind: type[T], **values: Any) -> list[T]:
    rows = connection.execute(text(query), values).mappings()
    return [msgspec.convert(dict(row), kind) for row in rows]


def surroundings(connection: Connection) -> Surroundings:
    (found,) = _many(connection, queries.SURROUNDINGS, Surroundings)
    if "alembic_version" not in found.relations:
        return found
    try:
        with connection.begin_nested():
            revisions = list(connection.scalars(text("SELECT version_num FROM alembic_version")))
    except DBAPIError:
        revisions = ["?"]
    return msgspec.structs.replace(found, revisions=revisions)


def tables(connection: Connection) -> list[Found]:
    """The tables that have the names of ours, as the service would find them."""
    return [found for shape in SHAPES if (found := _table(connection, shape)) is not None]


def _table(connection: Connection, shape: Shape) -> Found | None:
    head = connection.execute(text(queries.RELATION), {"name": shape.name}).mappings().one_or_none()
    if head is None:
        return None
    found = msgspec.convert({**head, "shape": shape}, Found)
    if found.kind != "r":
        return found
    here = {"relation": found.relation}
    columns = {column.name: column for column in _many(connection, queries.COLUMNS, Column, **here)}
    sequences = _many(connection, queries.SEQUENCE, Sequence, **here)
    key = connection.execute(text(queries.KEY), here).mappings().one_or_none()
    around = connection.execute(text(queries.AROUND), {**here, "schema": found.schema, "name": found.name}).mappings()
    retyped = ["id", "created_at", *shape.texts]
    dependents = connection.execute(text(queries.DEPENDENTS), {**here, "columns": retyped})
    return msgspec.structs.replace(
        found,
        columns=columns,
        indexes=_many(connection, queries.INDEXES, Index, **here),
        sequence=sequences[0] if sequences else None,
        references=_many(connection, queries.REFERENCES, Reference, **here),
        dependents=[(column, thing) for column, thing in dependents],
        **around.one(),
        **(key or {}),
    )
