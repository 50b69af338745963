"""Staging: rows go by COPY into a temporary table, and from there into their own, whatever is there already."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg
from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk import statements
from app.bulk.statements import DIALECT, PREFIXES, key_of
from app.database.model import Model

OnConflict = Literal["fail", "skip", "update"]

STAGING_TIMEOUT = 86_400.0
"""Seconds that one statement on staged rows may take: there may be millions."""
UNLIMITED = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"


class Staging:
    """Rows on their way into `table`, within one transaction at a time. What is there already its unique index says;
    if `keeps_ids`, what is to be updated the id says."""

    def __init__(
        self,
        driver: asyncpg.Connection[asyncpg.Record],
        table: str,
        columns: Sequence[str],
        *,
        defaults: Mapping[str, str] = {},  # never changed
        blanks: Mapping[str, str] = {},
        keeps_ids: bool = False,
    ) -> None:
        self._driver = driver
        self._keeps_ids = keeps_ids
        self.columns = ("id", *columns) if keeps_ids else tuple(columns)
        there = Model.metadata.tables[table]
        index = min((rule for rule in there.indexes if rule.unique), key=lambda rule: str(rule.name))
        (self.key,) = index.columns.keys()
        defaults = {"created_at": "now()", **defaults}
        changed = [name for name in columns if name != "created_at"]
        # Where nothing may be NULL, NULL stands for what is stored.
        new = {name: f"nullif(l.{name}, '{blanks[name]}')" if name in blanks else f"l.{name}" for name in changed}
        given = [new[name] if there.c[name].nullable else f"coalesce({new[name]}, t.{name})" for name in changed]
        self._names = {
            "table": table,
            "field": self.key,
            "type": "text" if isinstance(kind := index.columns[self.key].type, String) else kind.compile(DIALECT),
            **{f"key{of}": key_of(index, prefix) for of, prefix in PREFIXES.items()},
            "columns": ", ".join(self.columns),
            "values": ", ".join(
                f"coalesce({name}, {defaults[name]})" if name in defaults else name for name in self.columns
            ),
            "changed": ", ".join(changed),
            "stored": ", ".join(f"t.{name}" for name in changed),
            "given": ", ".join(given),
        }
        self._by_id = self._names | {f"key{of}": f"{prefix}id" for of, prefix in PREFIXES.items()}

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """An empty temporary table, gone with the transaction: what it holds survives neither a crash nor a commit."""
        async with self._driver.transaction():
            # Between two batches passwords are hashed.
            await self._driver.execute(UNLIMITED)
            await self._driver.execute(statements.CREATE.format(**self._names))
            yield

    async def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Stage rows: each the number of its line, the id that it came with, then its columns."""
        await self._driver.copy_records_to_table(
            "staged", records=rows, columns=["line", "given_id", *self.columns], timeout=STAGING_TIMEOUT
        )

    async def conflicts(self, *, by_id: bool = False) -> tuple[int, int | None, int | None]:
        """How many staged rows have a `key` that is stored or staged before; the first one's line; and the line
        that it repeats, if it is not stored."""
        count, line, first = await self._record(statements.CONFLICTS, self._by_id if by_id else self._names)
        return count, line, first

    async def insert(self) -> None:
        """Insert every staged row; the transaction survives a failure. Raises: UniqueViolationError."""
        async with self._driver.transaction():
            await self._number_on()
            await self._driver.execute(statements.INSERT.format(**self._names), timeout=STAGING_TIMEOUT)
            await self._number_on(after=True)

    async def merge(self, on_conflict: OnConflict) -> tuple[int, int]:
        """Insert the staged rows that are new; skip or update the others. How many were inserted and updated.

        Raises: UniqueViolationError, where ids are kept and somebody else has an address.
        """
        names = self._by_id if self._keeps_ids else self._names
        async with self._driver.transaction():
            await self._number_on()
            inserted, updated = await self._record(
                statements.UPDATE if on_conflict == "update" else statements.SKIP, names
            )
            await self._number_on(after=True)
        return inserted, updated

    async def belonging_to_others(self) -> int | None:
        """The first line whose `key` another id has."""
        (line,) = await self._record(statements.BELONGING_TO_OTHERS, self._names)
        return None if line is None else int(line)

    async def lock(self, condition: str) -> list[int] | None:
        """The rows of a condition, which stay as they are until the end of the transaction.

        There may be others who change such rows: they take turns.
        """
        await self._driver.execute(statements.TURN, condition, timeout=STAGING_TIMEOUT)
        ids: list[int] | None = (await self._record(statements.LOCK, self._names | {"condition": condition}))[0]
        return ids

    async def taking_the_last(self, ids: list[int] | None, condition: str) -> int | None:
        """The last line about one of these rows, if the condition is no more that of any."""
        names = (self._by_id if self._keeps_ids else self._names) | {"condition": condition}
        line: int | None = (await self._record(statements.TAKING_THE_LAST, names, ids))[0]
        return line

    async def write_ids(self, write: Callable[[bytes], Any], *, is_first: bool) -> None:
        """Write the id that each staged row came with, beside the one that it has."""

        async def written(data: bytes) -> None:
            write(data)

        statement = statements.IDS.format(**self._names)
        await self._driver.copy_from_query(statement, output=written, format="csv", header=is_first)

    async def _number_on(self, *, after: bool = False) -> None:
        """Let the next id that is given come after those that are there, as far as one may before any is kept."""
        if self._keeps_ids == after:
            may = "true" if after else statements.MAY_NUMBER_ON.format(**self._names)
            await self._driver.execute(statements.NUMBER_ON.format(**self._names, may=may), timeout=STAGING_TIMEOUT)

    async def taken(self, keys: Sequence[Any], *, by_id: bool = False) -> frozenset[int]:
        """The places of keys that are stored already."""
        names = self._by_id | {"field": "id", "type": "bigint"} if by_id else self._names
        found = await self._driver.fetch(statements.TAKEN.format(**names), keys)
        return frozenset(record[0] - 1 for record in found)

    async def _record(self, statement: str, names: Mapping[str, str], *values: Any) -> tuple[Any, ...]:
        record = await self._driver.fetchrow(statement.format(**names), *values, timeout=STAGING_TIMEOUT)
        assert record is not None  # noqa: S101  # an aggregate always gives a row
        return tuple(record)


@asynccontextmanager
async def driver_of(engine: AsyncEngine) -> AsyncIterator[Any]:
    """The driver's own connection, lent by the pool; whoever borrows it begins and commits."""
    async with engine.connect() as connection:
        yield (await connection.get_raw_connection()).driver_connection
