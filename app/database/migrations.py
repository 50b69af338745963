"""Migrations: what they need of a database, for as long as they take, and without holding up requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from asyncpg import PostgresLogMessage
from sqlalchemy import Connection, Table, Text, event, inspect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

from app.database.migration_lock import TAKE_LOCK, UNHURRIED

LIMITS = (
    # Every request would queue behind a migration that waits for a table.
    "SET LOCAL lock_timeout = '5s'",
    "SET LOCAL statement_timeout = 0",
    UNHURRIED,
)
_log = structlog.get_logger("app.database.migrations")
OLDEST = 14
"""The first PostgreSQL that replaces triggers, which the counters need, and that notices a client that is gone."""


class Limited(PostgresqlImpl):
    """Writes the limits and the lock into `--sql`, too; Alembic takes the newest class for a dialect."""

    __dialect__ = "postgresql"

    def emit_begin(self) -> None:
        super().emit_begin()
        for statement in (*LIMITS, TAKE_LOCK):
            self.static_output(statement + self.command_terminator)

    def version_table_impl(self, **how: Any) -> Table:
        """A revision's name may have any length; Alembic has room for 32 characters."""
        table = super().version_table_impl(**how)
        table.c.version_num.type = Text()
        return table


def judge(connection: Connection) -> None:
    """Refuse a database that will not do. Raises: CommandError."""
    if complaint := server_complaint(connection):
        raise CommandError(complaint)


def server_complaint(connection: Connection) -> str | None:
    """Why a database will not do: the server is too old, or cannot hold every name."""
    name, encoding = connection.exec_driver_sql("SELECT current_database(), current_setting('server_encoding')").one()
    # What the server said at the start: the dialect has asked, too, but of the first connection only.
    version = connection.connection.driver_connection.get_server_version()  # type: ignore[union-attr]
    if version.major < OLDEST:
        return f"The server is PostgreSQL {version.major}, {OLDEST} or newer is needed"
    if encoding != "UTF8":
        command = f"createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8 {name}_utf8"
        return f"The database {name} holds {encoding}, not UTF8. Make another, such as: {command}"
    return None


def widen(run: MigrationContext, heads: Collection[str]) -> None:
    """Make room for long names where the table is one of Alembic's own making."""
    if run.as_sql:
        narrow = bool(heads)  # Else this script makes it.
    else:
        columns = inspect(run.connection).get_columns(run.version_table) if run.connection else []
        narrow = any(column["name"] == "version_num" and getattr(column["type"], "length", None) for column in columns)
    if narrow:
        alter = f"ALTER TABLE {run.version_table} ALTER COLUMN version_num TYPE text"
        run.execute(f"-- squawk-ignore changing-column-type, prefer-robust-stmts\n{alter}")


def _tell(_driver: object, message: PostgresLogMessage) -> None:
    """Hand on what the server warns of, such as an index that it could not make."""
    if message.severity_en == "WARNING":
        _log.warning(message.message)


@contextmanager
def without_timeouts(engine: AsyncEngine) -> Iterator[None]:
    """Let statements of this engine take their time, while no transaction waits long for a table."""

    def connect(dialect: Any, _record: object, arguments: Any, options: dict[str, Any]) -> Any:
        server_settings = options.get("server_settings", {}).items()
        session = {name: "0" if name.endswith("_timeout") else value for name, value in server_settings}
        connection = dialect.connect(*arguments, **{**options, "command_timeout": None, "server_settings": session})
        connection.driver_connection.add_log_listener(_tell)
        return connection

    def limit(connection: Connection) -> None:
        outside = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        for statement in () if outside else LIMITS:
            connection.exec_driver_sql(statement)

    def execute(_cursor: object, statement: str, parameters: Any, context: Any) -> bool:
        """Outside a transaction a pooler may prepare on one server and execute on another: say it in one message."""
        if parameters or context.execution_options.get("isolation_level") != "AUTOCOMMIT":
            return False
        await_only(context.root_connection.connection.driver_connection.execute(statement))
        return True

    listeners: dict[str, Callable[..., Any]] = {"do_connect": connect, "begin": limit, "do_execute": execute}
    for name, listener in listeners.items():
        event.listen(engine.sync_engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(engine.sync_engine, name, listener)
