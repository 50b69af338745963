"""Staging: rows go by COPY into a temporary table, and from there into their own, whatever is there already."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg
from sqlalchemy import Column, ColumnElement, Index, String, literal_column
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.visitors import replacement_traverse

from app.database.model import Model

OnConflict = Literal["fail", "skip", "update"]

STAGING_TIMEOUT = 86_400.0
"""Seconds that one statement on staged rows may take: there may be millions."""
UNLIMITED = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"

_CREATE = """
CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT 0::bigint AS line, {columns} FROM {table} WITH NO DATA
"""
_TAKEN = """
SELECT place FROM unnest($1::{type}[]) WITH ORDINALITY AS given ({field}, place)
WHERE EXISTS (SELECT FROM {table} t WHERE {key_of_t} = {key_of_given})
"""
_CONFLICTS = """
SELECT count(*), min(line), (array_agg(CASE WHEN NOT is_stored THEN first END ORDER BY line))[1] FROM
  (SELECT line, min(line) OVER (PARTITION BY k.kept) AS first,
     EXISTS (SELECT FROM {table} t WHERE {key_of_t} = k.kept) AS is_stored
   FROM staged, LATERAL (SELECT {key}) AS k (kept) WHERE k.kept IS NOT NULL) s
WHERE is_stored OR line > first
"""
_INSERT = "INSERT INTO {table} ({columns}) SELECT {values} FROM staged"
_SKIP = """
WITH done AS (INSERT INTO {table} ({columns}) SELECT {values} FROM staged ORDER BY line ON CONFLICT DO NOTHING
  RETURNING 1) SELECT count(*), 0 FROM done
"""
# Of two rows with one key the later counts. A row that says what is stored changes nothing, not even the version.
_UPDATE = """
WITH latest AS (SELECT DISTINCT ON ({key}) * FROM staged ORDER BY {key}, line DESC), done AS (
  INSERT INTO {table} AS stored ({columns}) SELECT {values} FROM latest ORDER BY line
  ON CONFLICT ({key}) DO UPDATE SET ({changed}) = ROW ({excluded})
  WHERE ({stored}) IS DISTINCT FROM ({excluded}) RETURNING xmax = 0 AS is_new)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM done
"""


_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def _key(index: Index, prefix: str = "") -> str:
    """What a unique index keeps of a row, as SQL."""

    def named(part: Any, **_: Any) -> Any:
        return literal_column(f"{prefix}{part.name}") if isinstance(part, Column) else None

    key: Any = index.expressions[0]
    renamed: ColumnElement[Any] = replacement_traverse(key, {}, named)  # type: ignore[call-overload]
    return str(renamed.compile(dialect=_dialect))


class Staging:
    """Rows on their way into `table`, within one transaction at a time. What is there already its unique index says."""

    def __init__(self, driver: asyncpg.Connection[asyncpg.Record], table: str, columns: Sequence[str]) -> None:
        self._driver = driver
        self._columns = columns
        changed = [name for name in columns if name != "created_at"]
        rules = Model.metadata.tables[table].indexes
        index = min((rule for rule in rules if rule.unique), key=lambda rule: str(rule.name))
        (self.key,) = index.columns.keys()
        self._names = {
            "table": table,
            "field": self.key,
            "type": "text" if isinstance(kind := index.columns[self.key].type, String) else kind.compile(_dialect),
            "key": _key(index),
            "key_of_t": _key(index, "t."),
            "key_of_given": _key(index, "given."),
            "columns": ", ".join(columns),
            "values": ", ".join(name if name in changed else f"coalesce({name}, now())" for name in columns),
            "changed": ", ".join(changed),
            "stored": ", ".join(f"stored.{name}" for name in changed),
            "excluded": ", ".join(f"excluded.{name}" for name in changed),
        }

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """An empty temporary table, gone with the transaction: what it holds survives neither a crash nor a commit."""
        async with self._driver.transaction():
            # Between two batches passwords are hashed.
            await self._driver.execute(UNLIMITED)
            await self._driver.execute(_CREATE.format(**self._names))
            yield

    async def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Stage rows: each the number of its line, then its columns."""
        await self._driver.copy_records_to_table(
            "staged", records=rows, columns=["line", *self._columns], timeout=STAGING_TIMEOUT
        )

    async def conflicts(self) -> tuple[int, int | None, int | None]:
        """How many staged rows have a `key` that is stored or staged before; the first one's line; and the line
        that it repeats, if it is not stored."""
        count, line, first = await self._record(_CONFLICTS)
        return count, line, first

    async def insert(self) -> None:
        """Insert every staged row; the transaction survives a failure. Raises: UniqueViolationError."""
        async with self._driver.transaction():
            await self._driver.execute(_INSERT.format(**self._names), timeout=STAGING_TIMEOUT)

    async def merge(self, on_conflict: OnConflict) -> tuple[int, int]:
        """Insert the staged rows that are new; skip or update the others. How many were inserted and updated."""
        inserted, updated = await self._record(_UPDATE if on_conflict == "update" else _SKIP)
        return inserted, updated

    async def taken(self, keys: Sequence[Any]) -> frozenset[int]:
        """The places of keys that are stored already."""
        found = await self._driver.fetch(_TAKEN.format(**self._names), keys)
        return frozenset(record[0] - 1 for record in found)

    async def _record(self, statement: str) -> tuple[Any, ...]:
        record = await self._driver.fetchrow(statement.format(**self._names), timeout=STAGING_TIMEOUT)
        assert record is not None  # noqa: S101  # an aggregate always gives a row
        return tuple(record)


@asynccontextmanager
async def driver_of(engine: AsyncEngine) -> AsyncIterator[Any]:
    """The driver's own connection, lent by the pool; whoever borrows it begins and commits."""
    async with engine.connect() as connection:
        yield (await connection.get_raw_connection()).driver_connection
