"""Reader: a SELECT rendered once, run on the driver's connection, its rows straight into Structs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import msgspec
from sqlalchemy import Cast, Select, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection

from app.database.connector import CONNECTION_ERRORS
from app.database.pool import Pool
from app.repository.columns import Sortable
from app.repository.lookups import MOST_KEYS, Fetch, Lookups

_dialect = dialect()  # type: ignore[no-untyped-call]


class Rendered(msgspec.Struct, frozen=True):
    """Driver SQL, and its parameters in the order of $1, $2 and so on with the values they have by themselves."""

    sql: str
    parameters: tuple[tuple[str, Any], ...]


def render(statement: Select[*tuple[Any, ...]]) -> Rendered:
    """Compile a SELECT for asyncpg, once and for all."""
    compiled = statement.compile(dialect=_dialect, compile_kwargs={"render_postcompile": True})
    return Rendered(str(compiled), tuple((name, compiled.params[name]) for name in compiled.positiontup or ()))


class Lookup(msgspec.Struct, frozen=True, eq=False):
    """How a row is found by its key: alone, and among others."""

    one: Rendered
    many: Rendered
    place: int
    """Of the key among the columns."""


def by_key(statement: Select[*tuple[Any, ...]], key: Sortable) -> Lookup:
    """Look rows up by a column that the statement selects, each of its values that of one row at most.

    A key has to be what the column can hold, or it would fail for all. Raises: ValueError, if that is not selected.
    """
    place = [str(column) for column in statement.selected_columns].index(str(getattr(key, "expression", key)))
    one = statement.where(key == bindparam("key", type_=key.type))
    # Below a SELECT of its own the planner cannot count the keys, and finds one plan good enough for all. It would plan
    # small batches anew each time: of eight sessions with their users PostgreSQL's CPU was 150 us, and is 40.
    keys = select(bindparam("keys", type_=ARRAY(key.type))).scalar_subquery()
    many = statement.where(key == any_(Cast(keys, ARRAY(key.type))))
    return Lookup(render(one), render(many), place)


class Reader:
    """Runs SELECTs that stand alone: outside any transaction, on connections of SQLAlchemy's pool.

    What must see its own transaction's writes uses the session instead.
    """

    def __init__(self, engine: AsyncEngine, *, limit: float, statement_timeout: float | None = None) -> None:
        """`limit` is in seconds, for the whole read. With `statement_timeout` (seconds) each read is a short
        transaction of its own that sets it, as a pooler in transaction mode needs."""
        self.asked = 0
        """Reads that were to travel together, if there were others."""
        self.statements = 0
        """Those that were run, for whatever read."""
        self._engine = engine
        self._lookups: dict[Hashable, Lookups] = {}
        self._limit = limit
        self._begin = (
            None
            if statement_timeout is None
            else f"BEGIN READ ONLY; SET LOCAL statement_timeout = {int(statement_timeout * 1000)}"
        )

    async def find(self, lookup: Lookup, key: Any) -> Any | None:
        """The record of a key, if there is one. Raises: SharedFailure."""
        return await self.together(lookup, key, partial(self._look_up, lookup))

    async def together(self, kind: Hashable, key: Hashable, fetch: Fetch, *, most: int = MOST_KEYS) -> Any | None:
        """What `fetch` finds for a key, among those of the same kind that arrive together. Raises: SharedFailure."""
        self.asked += 1
        lookups = self._lookups.get(kind)
        if lookups is None:
            lookups = self._lookups[kind] = Lookups(fetch, most)
        try:
            return await lookups.find(key)
        finally:
            # There are as many kinds as clients think of.
            if lookups.is_idle and self._lookups.get(kind) is lookups:
                del self._lookups[kind]

    async def _look_up(self, lookup: Lookup, keys: list[Any]) -> dict[Any, Any]:
        alone = len(keys) == 1
        read, values = (lookup.one, {"key": keys[0]}) if alone else (lookup.many, {"keys": keys})
        return {record[lookup.place]: record for record in await self.records(read, values)}

    async def records(self, read: Rendered, values: Mapping[str, Any]) -> list[Any]:
        """The rows as the driver gives them. Repeats once after a lost connection: a read is idempotent."""
        arguments = [values.get(name, default) for name, default in read.parameters]
        self.statements += 1
        if self._engine.echo:
            self._engine.sync_engine.logger.info(read.sql)
        deadline = asyncio.get_running_loop().time() + self._limit
        # The driver bounds a statement by itself; a timer is for whoever has to wait, or has several to run.
        pool = self._pool
        if self._begin is None and (idle := pool.acquire_nowait()) is not None:
            with suppress(_Lost):
                return await self._fetch(idle, read.sql, arguments)
        async with asyncio.timeout_at(deadline):
            try:
                return await self._fetch(await pool.acquire(), read.sql, arguments)
            except _Lost:
                return await self._fetch(await pool.acquire(), read.sql, arguments)

    @property
    def _pool(self) -> Pool:
        return cast("Pool", self._engine.sync_engine.pool)

    def has_answered_since(self, moment: float) -> bool:
        """Whether a connection came back alive after a moment of the monotonic clock."""
        return self._pool.answered_at > moment

    async def _fetch(self, lent: PoolProxiedConnection, sql: str, arguments: Sequence[Any]) -> list[Any]:
        driver: Any = lent.driver_connection
        try:
            if self._begin is None:
                found: list[Any] = await driver.fetch(sql, *arguments)
            else:
                await driver.execute(self._begin)
                found = await driver.fetch(sql, *arguments)
                await driver.execute("COMMIT")
            return found
        except BaseException as error:  # Cancellation above all. All of it goes on; here the connection is judged.
            lost = driver.is_closed()
            # Unless the server itself ended the statement its answer may still be on its way, or it may wait for the
            # values of what it has parsed, and hold its locks; inside BEGIN there is no way back.
            if lost or self._begin or not getattr(error, "severity", None):
                lent.invalidate()
            if lost and isinstance(error, CONNECTION_ERRORS):
                # Others may be lost as well, and must not be taken for the repeat unasked.
                self._pool.lost_at = time.monotonic()
                raise _Lost from error
            raise
        finally:
            # Outside a greenlet this is safe: nothing is to be rolled back, and the pool has room for what it lent.
            lent.close()


class _Lost(ConnectionError):
    """The connection went away under the statement."""
