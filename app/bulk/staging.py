"""Staging: rows go by COPY into a temporary table, and from there into their own, whatever is there already."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

OnConflict = Literal["fail", "skip", "update"]

PATIENCE = 86_400.0
"""Seconds that one statement on staged rows may take: there may be millions."""
UNLIMITED = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"

_CREATE = """
CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT 0::bigint AS line, {columns} FROM {table} WITH NO DATA
"""
_TAKEN = """
SELECT place FROM unnest($1::text[]) WITH ORDINALITY AS given (email, place)
WHERE EXISTS (SELECT FROM {table} t WHERE address_key(t.email) = address_key(given.email))
"""
_CONFLICTS = """
SELECT count(*), min(line), (array_agg(CASE WHEN NOT is_stored THEN first END ORDER BY line))[1] FROM
  (SELECT line, min(line) OVER (PARTITION BY key) AS first,
     EXISTS (SELECT FROM {table} t WHERE address_key(t.email) = key) AS is_stored
   FROM staged, address_key(email) AS key) s
WHERE is_stored OR line > first
"""
_INSERT = "INSERT INTO {table} ({columns}) SELECT {values} FROM staged"
_SKIP = """
WITH done AS (INSERT INTO {table} ({columns}) SELECT {values} FROM staged ORDER BY line ON CONFLICT DO NOTHING
  RETURNING 1) SELECT count(*), 0 FROM done
"""
# Of two rows with one address the later counts. A row that says what is stored changes nothing, not even the version.
_UPDATE = """
WITH latest AS (SELECT DISTINCT ON (address_key(email)) * FROM staged ORDER BY address_key(email), line DESC), done AS (
  INSERT INTO {table} AS stored ({columns}) SELECT {values} FROM latest ORDER BY line
  ON CONFLICT (address_key(email)) DO UPDATE SET ({changed}) = ROW ({excluded})
  WHERE ({stored}) IS DISTINCT FROM ({excluded}) RETURNING xmax = 0 AS is_new)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM done
"""


class Staging:
    """Rows on their way into `table`, within one transaction at a time."""

    def __init__(self, driver: asyncpg.Connection[asyncpg.Record], table: str, columns: Sequence[str]) -> None:
        self._driver = driver
        self._columns = columns
        changed = [name for name in columns if name != "created_at"]
        self._names = {
            "table": table,
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
            "staged", records=rows, columns=["line", *self._columns], timeout=PATIENCE
        )

    async def conflicts(self) -> tuple[int, int | None, int | None]:
        """How many staged rows have an address that is stored or staged before; the first one's line; and the line
        that it repeats, if it is not stored."""
        count, line, first = await self._record(_CONFLICTS)
        return count, line, first

    async def insert(self) -> None:
        """Insert every staged row; the transaction survives a failure. Raises: UniqueViolationError."""
        async with self._driver.transaction():
            await self._driver.execute(_INSERT.format(**self._names), timeout=PATIENCE)

    async def merge(self, on_conflict: OnConflict) -> tuple[int, int]:
        """Insert the staged rows that are new; skip or update the others. How many were inserted and updated."""
        inserted, updated = await self._record(_UPDATE if on_conflict == "update" else _SKIP)
        return inserted, updated

    async def taken(self, emails: Sequence[str]) -> frozenset[int]:
        """The places of addresses that are stored already."""
        found = await self._driver.fetch(_TAKEN.format(**self._names), emails)
        return frozenset(record[0] - 1 for record in found)

    async def _record(self, statement: str) -> tuple[Any, ...]:
        record = await self._driver.fetchrow(statement.format(**self._names), timeout=PATIENCE)
        assert record is not None  # noqa: S101  # an aggregate always gives a row
        return tuple(record)


@asynccontextmanager
async def driver_of(engine: AsyncEngine) -> AsyncIterator[Any]:
    """The driver's own connection, lent by the pool; whoever borrows it begins and commits."""
    async with engine.connect() as connection:
        yield (await connection.get_raw_connection()).driver_connection
