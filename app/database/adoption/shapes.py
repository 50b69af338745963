"""Shapes: what the first migrations make of a table, and so what they are to find."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Table

from app.database.model import Model

FIRST_REVISION = "20261121_users"
"""What an adopted database is stamped with; the migration of `developers` leaves a table that is there as it is."""


_COUNTED = ("inserted", "deleted", "truncated")


def relations_of(table: Table) -> frozenset[str]:
    """The names of a table, its key and its indexes."""
    return frozenset((table.name, str(table.primary_key.name), *(str(index.name) for index in table.indexes)))


class Shape(Struct, frozen=True):
    """A table as its own migration makes it: texts and their longest value, and indexes."""

    name: str
    texts: dict[str, int]
    indexes: dict[str, str]

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(("id", "created_at", *self.texts))

    @property
    def key(self) -> str:
        return f"pk_{self.name}"

    @property
    def unique(self) -> str:
        """The index that gives an address to one row only."""
        return f"ix_{self.name}_email"

    @property
    def relations(self) -> frozenset[str]:
        """Names that its key and its indexes have, at first or later."""
        model = Model.metadata.tables.get(self.name)
        first = frozenset((self.key, self.unique, *self.indexes, f"ix_{self.name}_trgm"))
        return first if model is None else first | relations_of(model)

    @property
    def triggers(self) -> frozenset[str]:
        return frozenset(("move_version", "end_sessions", *(f"{self.name}_{done}" for done in _COUNTED)))


SHAPES = (
    Shape(
        "users",
        {"name": 100, "email": 255, "hashed_password": 255},
        {"ix_users_name": "name, id", "ix_users_created_at": "created_at, id"},
    ),
    Shape(
        "developers",
        {"name": 100, "email": 255, "specialty": 100},
        {
            "ix_developers_name": "name",
            "ix_developers_specialty": "specialty, name",
            "ix_developers_created_at": "created_at",
        },
    ),
)
