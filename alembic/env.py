"""Runs migrations for `litestar database ...` and for plain `alembic ...` alike."""

from __future__ import annotations

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

import app.application  # noqa: F401  # knows every model
from app.database import Model, configure_database
from app.settings import load_settings

_LOCK = 0x5573657273  # "Users": whoever else migrates this database waits here.


def _is_ours(_thing: object, name: str | None, kind: str, *_: object) -> bool:
    """Indexes for searching exist only where the extension pg_trgm does; no model knows them."""
    return not (kind == "index" and name is not None and name.endswith("_trgm"))


def _run(**how: Any) -> None:
    """Run everything in one transaction: a migration that fails leaves nothing behind."""
    context.configure(
        target_metadata=Model.metadata,
        version_table="alembic_version",
        compare_type=True,
        compare_server_default=True,
        include_object=_is_ours,
        **how,
    )
    with context.begin_transaction():
        # Waiting for other replicas may take as long as their migrations; waiting for a table's lock may not,
        # because every request would queue behind it.
        context.execute("SET LOCAL statement_timeout = 0")
        context.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        context.execute("SET LOCAL lock_timeout = '5s'")
        context.run_migrations()


def migrate(connection: Connection) -> None:
    _run(connection=connection)


async def migrate_online() -> None:
    engine: AsyncEngine = getattr(context.config, "engine", None) or configure_database(load_settings()).get_engine()
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    # The driver's style would write every % of a statement twice.
    _run(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True)
else:
    asyncio.run(migrate_online())
