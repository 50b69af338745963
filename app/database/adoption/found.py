"""Found: a table of somebody else's, and what hangs on it."""

from __future__ import annotations

from msgspec import Struct

from app.database.adoption.shapes import Shape


class Column(Struct, frozen=True):
    name: str
    type: str
    nullable: bool
    default: str | None
    identity: str
    generated: bool


class Index(Struct, frozen=True):
    """`sole` is the one column that it is about, as it stands or in an expression."""

    name: str
    definition: str
    sole: str | None
    unique: bool
    valid: bool
    constraint: str | None
    is_key: bool
    is_partial: bool
    identifies_replicas: bool

    @property
    def owns_addresses(self) -> bool:
        return self.unique and self.sole == "email"


class Sequence(Struct, frozen=True):
    name: str
    schema: str
    owned: bool
    usual: bool
    step: int
    grants: list[str]


class Reference(Struct, frozen=True):
    """A foreign key of another table."""

    name: str
    table: str
    relation: str
    columns: list[str]
    types: list[str]
    referred: list[str]
    owned: bool


class Found(Struct, frozen=True, kw_only=True):
    """A table of theirs, and the shape that it is to have."""

    shape: Shape
    schema: str
    relation: str
    kind: str
    owner: str
    owned: bool
    readable: bool
    hides_rows: bool
    unlogged: bool
    inherits: bool
    columns: dict[str, Column] = {}
    key: list[str] = []
    key_name: str | None = None
    key_is_deferrable: bool = False
    indexes: list[Index] = []
    sequence: Sequence | None = None
    references: list[Reference] = []
    own_references: list[str] = []
    checks: list[str] = []
    triggers: list[str] = []
    policies: list[str] = []
    publications: list[str] = []
    dependents: list[tuple[str, str]] = []
    composites: list[str] = []
    """Columns elsewhere that hold whole rows of it."""

    @property
    def name(self) -> str:
        return self.shape.name

    @property
    def more(self) -> list[str]:
        """The columns that we know nothing of."""
        return [name for name in self.columns if name not in self.shape.columns]


class Surroundings(Struct, frozen=True):
    """The database around the tables. `revisions` are those of whoever migrated it last, None where nobody did."""

    database: str
    role: str
    schema: str | None
    timezone: str
    writable: bool
    may_create: bool
    may_have_temporary: bool
    adopted: bool
    relations: list[str]
    functions: list[str]
    elsewhere: list[str]
    revisions: list[str] | None = None
