"""Health: alive without a look at the database, ready only with one that is migrated."""

from __future__ import annotations

import asyncio
import time
from functools import cached_property
from typing import Literal

from alembic.script import ScriptDirectory
from litestar import Controller, get
from litestar.di import NamedDependency
from msgspec import Struct
from sqlalchemy import Boolean, column, literal_column, select, table
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.database.engine import ROOT
from app.database.history import HISTORY, load_scripts, revisions_of
from app.http.openapi import problems
from app.http.responses import NO_STORE, JsonResponse
from app.problems import Unavailable
from app.repository.reader import Reader, render

# A transaction that a pooler needs is read-only anyhow.
_READ_ONLY = literal_column("pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool", Boolean)
_VERSIONS = render(select(column("version_num"), _READ_ONLY).select_from(table("alembic_version")))
_HISTORY = render(select(HISTORY))
_CHECK_TIMEOUT = 1.0


class Health(Struct, frozen=True):
    status: Literal["ok", "read_only"] = "ok"


class Readiness:
    """Whether this process should be sent requests."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.draining = False

    def drain(self) -> None:
        """Have the load balancer send requests elsewhere from now on."""
        self.draining = True

    @cached_property
    def _script(self) -> ScriptDirectory:
        # A command may have come to mend what is wrong with the migrations.
        return load_scripts(ROOT / "alembic")

    async def check(self) -> Health:
        """Raises: Unavailable, saying why, and what the look at the database raises."""
        if self.draining:
            raise Unavailable("The process is shutting down", code="draining")
        began = time.monotonic()
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT):
                return await self._check_schema()
        except (TimeoutError, PoolTimeout) as error:
            # Under load a place in the pool may take longer, and then all replicas would be taken out together.
            if not self._reader.has_answered_since(began):
                raise Unavailable from error
        return Health()

    async def _check_schema(self) -> Health:
        """A newer schema will do, unless a migration says that it needs newer code."""
        heads = set(self._script.get_heads())
        rows = await self._reader.records(_VERSIONS, {})
        health = Health("read_only" if any(read_only for _, read_only in rows) else "ok")
        if {version for version, _ in rows} == heads:
            return health
        history = dict(await self._reader.records(_HISTORY, {}))
        if not heads <= history.keys():
            raise Unavailable("The schema is not at the head revision", code="schema_outdated")
        if set(history.values()) - revisions_of(self._script) - {None}:
            raise Unavailable("The schema has been contracted beyond this version", code="schema_outdated")
        return health


class HealthController(Controller):
    """For those who run the service"""

    path = "/health"
    tags = ["Operations"]

    @get("/live", who="anyone", responses=problems())
    async def live(self) -> JsonResponse[Health]:
        """Whether the process runs.

        It never touches the database, so a process is not ended because that is away.
        """
        return JsonResponse(Health(), headers=(NO_STORE,))

    @get(["/", "/ready"], who="anyone", responses=problems(503))
    async def ready(self, readiness: NamedDependency[Readiness]) -> JsonResponse[Health]:
        """Whether requests will be served.

        The database answers within a second and is migrated, and the process is not shutting down; else 503 says
        which. The status is `read_only` where the database takes no writes.
        """
        return JsonResponse(await readiness.check(), headers=(NO_STORE,))
