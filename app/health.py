"""Health: alive without a look at the database, ready only with one that is migrated."""

from __future__ import annotations

import asyncio

from alembic.script import ScriptDirectory
from litestar import Controller, get
from litestar.di import NamedDependency
from msgspec import Struct
from sqlalchemy import column, select, table

from app.answers import NO_STORE, Answer
from app.database import ROOT
from app.openapi import problems
from app.problems import Unavailable
from app.reads import Reads, render

_REVISION = render(select(column("version_num")).select_from(table("alembic_version")))
_PATIENCE = 1.0


class Health(Struct, frozen=True):
    status: str = "ok"


class Readiness:
    """Whether this process should be sent requests."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self.draining = False
        script = ScriptDirectory(str(ROOT / "alembic"))
        self._head = script.get_current_head()

    def drain(self) -> None:
        """Have the load balancer send requests elsewhere from now on."""
        self.draining = True

    async def check(self) -> None:
        """Raises: Unavailable, saying why."""
        if self.draining:
            raise Unavailable("The process is shutting down", code="draining")
        try:
            async with asyncio.timeout(_PATIENCE):
                records = await self._reads.records(_REVISION, {})
        except Exception as error:
            raise Unavailable from error
        if [record[0] for record in records] != [self._head]:
            raise Unavailable("The schema is not at the head revision", code="schema_outdated")


class HealthController(Controller):
    path = "/health"
    tags = ["Operations"]

    @get("/live", responses=problems())
    async def live(self) -> Answer[Health]:
        """Whether the process runs; never touches the database."""
        return Answer(Health(), headers=(NO_STORE,))

    @get(["/", "/ready"], responses=problems(503))
    async def ready(self, readiness: NamedDependency[Readiness]) -> Answer[Health]:
        """Whether the database answers within a second and is migrated, and the process is not shutting down."""
        await readiness.check()
        return Answer(Health(), headers=(NO_STORE,))
