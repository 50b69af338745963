"""Runs migrations for `litestar database ...` and for plain `alembic ...` alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

from alembic import context
from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from asyncpg import PostgresError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlalchemy.util import immutabledict

import app.application  # noqa: F401  # knows every model
from app.database.adopted import VERSION_TABLES, kept, refuse_foreign, version_table
from app.database.adoption.shapes import SHAPES
from app.database.engine import configure_database
from app.database.errors import DRIVER_ERRORS, root_cause
from app.database.failures import explain, reason_of
from app.database.history import HISTORY, History, is_past, refuse_stranger
from app.database.migration_lock import exclusive, lock_transaction, unlocked
from app.database.migrations import judge, widen, without_timeouts
from app.database.model import Model
from app.logs import configure_logs
from app.settings import SettingsError, load_settings


class Steps:
    """The migrations of this command, one after the other as Alembic asks for them."""

    running: str | None = None
    """The revision whose migration runs."""

    def __init__(self) -> None:
        context.configure(dialect_name="postgresql")
        options = context.get_context().opts
        self._find = options["fn"]
        self._upgrades = self._find.__name__ == "upgrade"
        self.moves = "destination_rev" in options
        """Whether the command changes the schema; others only look."""

    def __call__(self, heads: tuple[str, ...], run: MigrationContext) -> Iterator[RevisionStep | StampStep]:
        self.running = None
        history.begin()
        if run.connection is not None and not run.as_sql:
            self._refuse(run.connection, run, heads)
        if self._upgrades and is_past(run, heads):
            return
        for step in self._find(heads, run):
            if self.running is None:
                widen(run, heads)
            self.running = ", ".join(step.info.up_revision_ids)
            yield step
        self.running = None
        if self._upgrades:
            history.ensure(run)

    def _refuse(self, connection: Connection, run: MigrationContext, heads: tuple[str, ...]) -> None:
        """Raises: CommandError, where this is no database of ours, or cannot be."""
        if self._upgrades:
            judge(connection)
        refuse_foreign(run, heads, {shape.name for shape in SHAPES})
        refuse_stranger(run, heads, upgrades=self._upgrades)


history = History()
steps = Steps()


def _is_ours(
    theirs: frozenset[tuple[str, str]], thing: Any, name: str | None, kind: str, is_reflected: bool, model: object
) -> bool:
    """Indexes for searching exist only where the extension pg_trgm does; no model knows them, nor the history.

    A table that neither a model nor a migration names is somebody else's, and so is what ours had when it was adopted,
    as long as no model has more of that name; a table of its own name is theirs as a whole.
    """
    if kind != "table" and (is_reflected or model is not None) and (thing.table.name, name) in theirs:
        return False
    if kind == "table" and is_reflected and model is None:
        named = any(f'"{name}"' in text or f"TABLE {name} " in text for text in _sources())
        return named and name != HISTORY.name and (name, name) not in theirs
    return not (kind == "index" and name is not None and name.endswith("_trgm"))


@cache
def _sources() -> list[str]:
    script = ScriptDirectory.from_config(context.config)
    return [Path(revision.path).read_text(encoding="utf-8") for revision in script.walk_revisions()]


def _render(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """A type as PostgreSQL has it, without variants for others and without a library that migrations do not need."""
    if kind != "type" or not isinstance(item, TypeEngine):
        return False
    if isinstance(item, TypeDecorator) and type(item).__module__.startswith("advanced_alchemy."):
        return f"sa.{item.impl_instance!r}"
    if item._variant_mapping and type(item).__module__ == "sqlalchemy.sql.sqltypes":
        plain = item.copy()
        plain._variant_mapping = immutabledict()
        return f"sa.{plain!r}"
    return False


def _configure(theirs: frozenset[tuple[str, str]] = frozenset(), table: str | None = None, **how: Any) -> None:
    named = context.get_x_argument(as_dictionary=True).get("version_table", VERSION_TABLES[0])
    context.configure(
        target_metadata=Model.metadata,
        version_table=table or named,
        autogenerate_plugins=["alembic.autogenerate.*", *(["~alembic.autogenerate.comments"] if theirs else [])],
        compare_type=True,
        compare_server_default=True,
        include_object=partial(_is_ours, theirs),
        render_item=_render,
        on_version_apply=history,
        fn=steps,
        **how,
    )


def migrate(connection: Connection, alone: bool) -> None:
    """Run each migration in a transaction of its own: one that fails leaves nothing behind."""
    table, theirs = version_table(connection), kept(connection)
    connection.rollback()
    _configure(theirs, table, connection=connection, transaction_per_migration=alone)
    if steps.moves and not alone:
        lock_transaction(connection)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


async def migrate_online(engine: AsyncEngine) -> None:
    try:
        async with exclusive(engine) if steps.moves else unlocked(engine) as (connection, alone):
            await _try(connection, alone)
    finally:
        await engine.dispose()


async def _try(connection: AsyncConnection, alone: bool) -> None:
    """Where other commands cannot be kept out, try again: one may have done the same between two transactions."""
    retries = 0 if alone else 3
    while True:
        try:
            await connection.run_sync(migrate, alone)
        except (CommandError, DBAPIError, PostgresError):
            if not retries:
                raise
            retries -= 1
            await connection.rollback()
            await asyncio.sleep(1)
        else:
            return


def main() -> None:
    """Raises: CommandError, SystemExit from the command line of Alembic."""
    engine: AsyncEngine | None = getattr(context.config, "engine", None)
    if engine is None:
        settings = load_settings()
        configure_logs(style=settings.log_format, level=settings.log_level, error_data=settings.log_error_data)
        engine = configure_database(settings).get_engine()
    with without_timeouts(engine):
        try:
            asyncio.run(migrate_online(engine))
        except (DBAPIError, *DRIVER_ERRORS) as error:
            failed = f"Migration {steps.running} failed: {reason_of(root_cause(error))}"
            raise CommandError(failed if steps.running else explain(error, engine.url.database)) from error


def offline() -> None:
    """Write everything in one transaction, as psql would go on after a migration that fails."""
    _configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


try:
    offline() if context.is_offline_mode() else main()
except (CommandError, SettingsError) as error:
    if context.config.cmd_opts is None or context.config.cmd_opts.raiseerr:
        raise
    raise SystemExit(f"Error: {error}") from error
