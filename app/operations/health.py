"""Health: alive without a look at the database, ready only with one that is migrated."""

from __future__ import annotations

import asyncio
import time

from alembic.script import ScriptDirectory
from litestar import Controller, get
from litestar.di import NamedDependency
from msgspec import Struct
from sqlalchemy import column, select, table
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.database.engine import ROOT
from app.database.history import HISTORY, revisions_of
from app.http.openapi import problems
from app.http.responses import NO_STORE, JsonResponse
from app.problems import Unavailable
from app.repository.reader import Reader, render

_VERSIONS = render(select(column("version_num")).select_from(table("alembic_version")))
_HISTORY = render(select(HISTORY))
_CHECK_TIMEOUT = 1.0


class Health(Struct, frozen=True):
    status: str = "ok"


class Readiness:
    """Whether this process should be sent requests."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.draining = False
        script = ScriptDirectory(str(ROOT / "alembic"))
        self._heads = set(script.get_heads())
        self._known = revisions_of(script)

    def drain(self) -> None:
        """Have the load balancer send requests elsewhere from now on."""
        self.draining = True

    async def check(self) -> None:
        """Raises: Unavailable, saying why, and what the look at the database raises."""
        if self.draining:
            raise Unavailable("The process is shutting down", code="draining")
        began = time.monotonic()
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT):
                await self._check_schema()
        except (TimeoutError, PoolTimeout) as error:
            # Under load a place in the pool may take longer, and then all replicas would be taken out together.
            if not self._reader.has_answered_since(began):
                raise Unavailable from error

    async def _check_schema(self) -> None:
        """A newer schema will do, unless a migration says that it needs newer code."""
        if {version for (version,) in await self._reader.records(_VERSIONS, {})} == self._heads:
            return
        history = dict(await self._reader.records(_HISTORY, {}))
        if not self._heads <= history.keys():
            raise Unavailable("The schema is not at the head revision", code="schema_outdated")
        if set(history.values()) - self._known - {None}:
            raise Unavailable("The schema has been contracted beyond this version", code="schema_outdated")


class HealthController(Controller):
    """For those who run the service"""

    path = "/health"
    tags = ["Operations"]

    @get("/live", who="anyone", responses=problems())
    async def live(self) -> JsonResponse[Health]:
        """Whether the process runs; never touches the database."""
        return JsonResponse(Health(), headers=(NO_STORE,))

    @get(["/", "/ready"], who="anyone", responses=problems(503))
    async def ready(self, readiness: NamedDependency[Readiness]) -> JsonResponse[Health]:
        """Whether the database answers within a second and is migrated, and the process is not shutting down."""
        await readiness.check()
        return JsonResponse(Health(), headers=(NO_STORE,))
