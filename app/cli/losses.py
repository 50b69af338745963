"""Losses: what a downgrade would remove, for whoever is asked whether it may."""

from __future__ import annotations

import logging
import re
from io import StringIO

from advanced_alchemy.alembic.commands import AlembicCommands
from advanced_alchemy.config import SQLAlchemyAsyncConfig
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import NoInspectionAvailable

from app.database.adopted import VERSION_TABLES, version_table

_NAME = r'(?:IF EXISTS |ONLY )*((?:"[^"]+"|[\w.])+)'
"""As SQL writes it, so that it goes into SQL as it is."""
_TABLES = re.compile(r"DROP TABLE (?:IF EXISTS )?([^;]*)", re.IGNORECASE)
_ALTERED = re.compile(rf"ALTER TABLE {_NAME}([^;]*)", re.IGNORECASE)
_COLUMN = re.compile(rf"DROP COLUMN {_NAME}", re.IGNORECASE)
_TABLE_EXISTS = text("SELECT to_regclass(:name) IS NOT NULL")
_COLUMN_EXISTS = text(
    "SELECT true FROM pg_attribute WHERE attrelid = to_regclass(:name) AND quote_ident(attname) = :column"
)


def losses(connection: Connection, config: SQLAlchemyAsyncConfig, revision: str) -> list[str]:
    """A line for each table and column that goes on the way down to `revision`, and how much it holds."""
    run = MigrationContext.configure(connection, opts={"version_table": version_table(connection)})
    script = _script(config, ",".join(run.get_current_heads()), revision)
    if script is None:
        return ["what its own code finds there"]
    dropped = [table for tables in _TABLES.findall(script) for table in re.findall(_NAME, tables)]
    tables = [table for table in dict.fromkeys(dropped) if table not in (*VERSION_TABLES, "CASCADE")]
    columns = [
        (table, column)
        for table, rest in _ALTERED.findall(script)
        for column in _COLUMN.findall(rest)
        if table not in tables
    ]
    there = [table for table in tables if connection.scalar(_TABLE_EXISTS, {"name": table})]
    held = [
        each for each in columns if connection.scalar(_COLUMN_EXISTS, dict(zip(("name", "column"), each, strict=True)))
    ]
    return [
        *(f"the table {table}, rows: {_count(connection, table):,}" for table in there),
        *(f"the column {table}.{column}, values: {_count(connection, table, column):,}" for table, column in held),
    ]


def _script(config: SQLAlchemyAsyncConfig, at: str, revision: str) -> str | None:
    """The downgrade as SQL, if it can be written before it runs. Raises: CommandError."""
    log = logging.getLogger("alembic.runtime.migration")
    commands = AlembicCommands(config)
    commands.config.output_buffer = script = StringIO()
    log.disabled = True  # Nothing runs yet.
    try:
        commands.downgrade(f"{at}:{revision}", sql=True)
    except (AttributeError, NoInspectionAvailable):  # A migration wants to look at the database.
        return None
    finally:
        log.disabled = False
    return script.getvalue()


def _count(connection: Connection, table: str, column: str = "*") -> int:
    return int(connection.scalar(text(f"SELECT count({column}) FROM {table}")) or 0)  # noqa: S608  # the script's own
