"""Migrations: one command at a time, for as long as it takes, and without holding up requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any

import structlog
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, Table, Text, event, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import await_only, greenlet_spawn

_LOCK_KEY = 0x5573657273  # "Users": whoever else migrates this database waits here.
_POLL_INTERVAL = 0.2
"""Seconds between two looks whether another command has ended."""
_SECOND_CONNECTION_TIMEOUT = 3.0
"""Seconds after which a pooler that gives no second connection is taken to have only one."""
LIMITS = (
    # Every request would queue behind a migration that waits for a table.
    "SET LOCAL lock_timeout = '5s'",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
TAKE_LOCK = f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"
_log = structlog.get_logger("app.database.migrations")


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
    """Refuse a database that cannot hold every name. Raises: CommandError."""
    name, encoding = connection.exec_driver_sql("SELECT current_database(), current_setting('server_encoding')").one()
    if encoding != "UTF8":
        command = f"createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8 {name}_utf8"
        raise CommandError(f"The database {name} holds {encoding}, not UTF8. Make another, such as: {command}")


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


@contextmanager
def without_timeouts(engine: AsyncEngine) -> Iterator[Mapping[str, Any]]:
    """Let statements of this engine take their time, while no transaction waits long for a table.

    Yields what the driver was asked for last: host, port, database and so on.
    """
    connect_options: dict[str, Any] = {}

    def connect(dialect: Any, _record: object, arguments: Any, options: dict[str, Any]) -> Any:
        connect_options.update(options)
        server_settings = options.get("server_settings", {}).items()
        session = {name: "0" if name.endswith("_timeout") else value for name, value in server_settings}
        return dialect.connect(*arguments, **{**options, "command_timeout": None, "server_settings": session})

    def limit(connection: Connection) -> None:
        for statement in LIMITS:
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
        yield connect_options
    finally:
        for name, listener in listeners.items():
            event.remove(engine.sync_engine, name, listener)


@asynccontextmanager
async def exclusive(engine: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, bool]]:
    """A connection while other commands on this database wait, and whether they do so across its transactions.

    The lock is a transaction's, because a session outlives its client behind a pooler, and on a connection of its own,
    because migrations commit. Neither who holds it nor who waits keeps a snapshot: CREATE INDEX CONCURRENTLY would
    wait for that.
    """
    borrowed = await greenlet_spawn(engine.sync_engine.pool.recreate().connect)
    try:
        await _lock(borrowed.driver_connection)
        if (connection := await _second_connection(engine)) is not None:
            try:
                yield connection, True
            finally:
                await connection.close()
            return
    finally:
        await greenlet_spawn(borrowed.invalidate)
    _log.info("The pooler has one connection only: others may migrate between two transactions")
    async with engine.connect() as connection:
        yield connection, False


async def _second_connection(engine: AsyncEngine) -> AsyncConnection | None:
    """Another connection, unless a pooler has no more."""
    async with AsyncExitStack() as stack:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SECOND_CONNECTION_TIMEOUT):
                connection = await stack.enter_async_context(engine.connect())
                await connection.exec_driver_sql("SELECT")
                await connection.rollback()
                stack.pop_all()
                return connection
    return None


@asynccontextmanager
async def unlocked(engine: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, bool]]:
    """A connection for what changes nothing."""
    async with engine.connect() as connection:
        yield connection, True


async def _lock(driver: Any) -> None:
    waiting = False
    while True:
        await driver.execute(f"BEGIN; {LIMITS[-1]}")
        if await driver.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK_KEY):
            # The driver's portal keeps a snapshot until the next simple query.
            await driver.execute("SELECT")
            return
        await driver.execute("ROLLBACK")
        if not waiting:
            _log.info("Waiting for another migration of this database")
            waiting = True
        await asyncio.sleep(_POLL_INTERVAL)


def lock_transaction(connection: Connection) -> None:
    """Have other commands wait until the end of the transaction that this begins."""
    while not connection.scalar(select(func.pg_try_advisory_xact_lock(_LOCK_KEY))):
        connection.rollback()
        time.sleep(_POLL_INTERVAL)
