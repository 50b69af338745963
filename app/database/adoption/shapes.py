"""Shapes: what the first migrations make of a table, and so what they are to find."""

from __future__ import annotations

from msgspec import Struct

FIRST_REVISION = "20261121_users"
"""What an adopted database is stamped with; the migration of `developers` leaves a table that is there as it is."""


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
