"""Names: every constraint and index has the name that the convention gives, so that a migration can drop it."""

from __future__ import annotations

import re

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from app.database.model import Model

_NAMES = text(
    "SELECT conname, contype::text, relname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid"
    " WHERE pg_class.relnamespace = 'public'::regnamespace AND contype <> 'n' AND relname <> 'alembic_version'"
    " UNION ALL SELECT i.relname, 'i', t.relname FROM pg_index JOIN pg_class i ON i.oid = indexrelid"
    " JOIN pg_class t ON t.oid = indrelid WHERE t.relnamespace = 'public'::regnamespace"
    " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.oid)"
)
_PREFIXES = {"p": "pk", "u": "uq", "c": "ck", "f": "fk", "i": "ix"}


def test_the_convention_names_every_kind() -> None:
    metadata = MetaData(naming_convention=Model.metadata.naming_convention)
    Table("users", metadata, Column("id", Integer, primary_key=True))
    orders = Table(
        "orders",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id")),
        Column("amount", Integer, index=True),
        Column("slug", String),
        CheckConstraint("amount > 0", name="amount_positive"),
        UniqueConstraint("slug"),
    )

    postgresql = dialect()  # type: ignore[no-untyped-call]
    statements: list[ExecutableDDLElement] = [CreateTable(orders), *(CreateIndex(index) for index in orders.indexes)]
    rendered = " ".join(str(statement.compile(dialect=postgresql)) for statement in statements)

    assert sorted(re.findall(r"(?:CONSTRAINT|INDEX) (\w+)", rendered)) == [
        "ck_orders_amount_positive",
        "fk_orders_user_id_users",
        "ix_orders_amount",
        "pk_orders",
        "uq_orders_slug",
    ]


async def test_the_migrated_schema_keeps_to_the_convention(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        found = (await connection.execute(_NAMES)).all()

    assert {"pk_users", "ix_users_email"} <= {name for name, _, _ in found}
    assert [name for name, kind, table in found if not name.startswith(f"{_PREFIXES[kind]}_{table}")] == []
