"""Throttles: attempts, counted in the database for all workers and hosts.

The table is unlogged: a crash or a change of the primary empties it, a standby cannot read it.
"""

from __future__ import annotations

from ipaddress import ip_network
from math import ceil

from asyncpg import FeatureNotSupportedError
from msgspec.structs import asdict
from sqlalchemy import Column, DateTime, ForeignKey, LargeBinary, Table, func
from sqlalchemy.dialects.postgresql import CIDR, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.database.errors import root_cause
from app.database.model import Model
from app.problems import Problem, Unavailable
from app.repository.limits import Attempt, Limit, charge, give_back, look

_Time = DateTime(timezone=True)

throttles = Table(
    "throttles",
    Model.metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("free_at", _Time, nullable=False),
    prefixes=["UNLOGGED"],
)
known_networks = Table(
    "known_networks",
    Model.metadata,
    # Where an account has signed in from within `KNOWN`.
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("network", CIDR, primary_key=True),
    Column("seen_at", _Time, server_default=func.now(), nullable=False),
)


class RateLimited(Problem):
    """Too many attempts: so many at once are allowed, and one more in so many seconds."""

    status = 429
    code = "rate_limited"
    detail = "Too many attempts; Retry-After says when the next one is due"

    def __init__(self, name: str, wait: int, burst: int, seconds: int) -> None:
        super().__init__()
        self.headers = {
            "Retry-After": str(wait),
            # draft-ietf-httpapi-ratelimit-headers
            "RateLimit-Policy": f'"{name}";q={burst};w={burst * seconds}',
            "RateLimit": f'"{name}";r=0;t={wait}',
        }


class Throttle:
    """Counts attempts by some limits, each only where those before it had room."""

    def __init__(self, engine: AsyncEngine, limits: tuple[Limit, ...]) -> None:
        self._engine = engine
        self._limits = limits
        self._look = look(limits)
        self._charge = charge(limits)
        self._give_back = give_back(limits)

    async def charge(self, attempt: Attempt) -> None:
        """Count an attempt for good, whatever becomes of its request. Raises: RateLimited."""
        # Whoever has to wait anyway takes no lock.
        await self._check(attempt)
        async with self._engine.begin() as connection:
            passed = await connection.scalar(self._charge, asdict(attempt))
        if not passed:
            await self._check(attempt)
            raise RateLimited(self._limits[0].name, 1, self._limits[0].burst, self._limits[0].seconds)

    async def give_back(self, attempt: Attempt) -> None:
        """Forget an attempt that succeeded."""
        async with self._engine.begin() as connection:
            await connection.execute(self._give_back, asdict(attempt))

    async def _check(self, attempt: Attempt) -> None:
        try:
            async with self._engine.begin() as connection:
                ahead = (await connection.execute(self._look, asdict(attempt))).one()
        except DBAPIError as error:
            if isinstance(root_cause(error), FeatureNotSupportedError):
                raise Unavailable("The database takes no writes", code="read_only") from error
            raise
        waits = [
            (float(seconds or 0) - (limit.burst - 1) * limit.seconds, limit)
            for seconds, limit in zip(ahead, self._limits, strict=True)
        ]
        wait, limit = max(waits, key=lambda one: one[0])
        if wait > 0:
            raise RateLimited(limit.name, ceil(wait), limit.burst, limit.seconds)


async def know_network(transaction: AsyncSession, user_id: int, network: str | None) -> None:
    """Remember where somebody has signed in from."""
    if network is not None:
        seen = insert(known_networks).values(user_id=user_id, network=ip_network(network))
        await transaction.execute(
            seen.on_conflict_do_update(index_elements=["user_id", "network"], set_={"seen_at": func.now()})
        )
