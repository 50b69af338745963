"""Throttles: how often something may be tried, counted in the database for all workers and hosts (GCRA).

A key is free again at `free_at`. Each attempt moves that on by `seconds`, and is refused where it lies too far ahead.
The table is unlogged: a crash or a change of the primary empties it, a standby cannot read it.
"""

from __future__ import annotations

from ipaddress import ip_network
from math import ceil

from msgspec import Struct
from sqlalchemy import Column, DateTime, ForeignKey, LargeBinary, Table, TextClause, func, text
from sqlalchemy.dialects.postgresql import CIDR, insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.database.model import Model
from app.problems import RateLimited

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
KNOWN = "interval '30 days'"


class Limit(Struct, frozen=True):
    """So many at once, and then one in so many seconds."""

    name: str
    burst: int
    seconds: int
    key: str
    """SQL of the text that is counted, or NULL; of `network`, `address` and `is_known`."""


class Attempt(Struct, frozen=True):
    """What is tried from where: for an address, or for the user of an id."""

    network: str | None
    email: str | None = None
    user_id: int | None = None


SIGN_IN = (
    Limit("sign-in of a network", 30, 2, "'network ' || network"),
    Limit("sign-in", 5, 180, "'pair ' || network || ' ' || address"),
    Limit("sign-in of an account", 50, 72, "CASE WHEN NOT is_known THEN 'account ' || address END"),
)
SIGN_UP = (Limit("sign-up of a network", 20, 180, "'sign-up ' || network"),)


class Throttle:
    """Counts attempts by some limits, each only where those before it had room."""

    def __init__(self, engine: AsyncEngine, limits: tuple[Limit, ...]) -> None:
        self._engine = engine
        self._limits = limits
        self._look = text(f"{_keys(limits)} SELECT {', '.join(_wait(n) for n in range(len(limits)))} FROM keys")
        self._charge = _charge(limits)
        self._give_back = _give_back(limits)

    async def charge(self, attempt: Attempt) -> None:
        """Count an attempt for good, whatever becomes of its request. Raises: RateLimited."""
        # Whoever has to wait anyway takes no lock.
        await self._check(attempt)
        async with self._engine.begin() as connection:
            passed = await connection.scalar(self._charge, _values(attempt))
        if not passed:
            await self._check(attempt)
            raise RateLimited(self._limits[0].name, 1, self._limits[0].burst, self._limits[0].seconds)

    async def give_back(self, attempt: Attempt) -> None:
        """Forget an attempt that succeeded."""
        async with self._engine.begin() as connection:
            await connection.execute(self._give_back, _values(attempt))

    async def _check(self, attempt: Attempt) -> None:
        async with self._engine.begin() as connection:
            ahead = (await connection.execute(self._look, _values(attempt))).one()
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


def _values(attempt: Attempt) -> dict[str, object]:
    return {name: getattr(attempt, name) for name in attempt.__struct_fields__}


def _keys(limits: tuple[Limit, ...]) -> str:
    """`keys`: one row with the key of each limit, null where it does not apply."""
    keys = ", ".join(f"sha256(convert_to({limit.key}, 'UTF8')) AS k{n}" for n, limit in enumerate(limits))
    return f"""
    WITH given AS (SELECT CAST(:network AS text) AS network, address_key(coalesce(CAST(:email AS text),
            (SELECT email FROM users WHERE id = CAST(:user_id AS bigint)))) AS address),
        known AS (SELECT network, address, EXISTS (SELECT FROM known_networks k JOIN users u ON u.id = k.user_id
            WHERE address_key(u.email) = address AND k.network = CAST(given.network AS cidr)
            AND seen_at > now() - {KNOWN}) AS is_known FROM given),
        keys AS (SELECT {keys} FROM known)"""


def _wait(n: int) -> str:
    return f"(SELECT extract(epoch FROM free_at - clock_timestamp()) FROM throttles WHERE key = k{n})"


def _charge(limits: tuple[Limit, ...]) -> TextClause:
    """One statement, whose parts wait for each other, so that everybody locks in the same order."""
    steps, before = [_keys(limits)], "(SELECT) AS start"
    for n, limit in enumerate(limits):
        step, room = f"interval '{limit.seconds} s'", f"interval '{(limit.burst - 1) * limit.seconds} s'"
        steps.append(f"""charged{n} AS (
            INSERT INTO throttles AS t SELECT k{n}, clock_timestamp() + {step} FROM keys, {before}
            WHERE k{n} IS NOT NULL ON CONFLICT (key) DO UPDATE
            SET free_at = greatest(t.free_at, clock_timestamp()) + {step}
            WHERE t.free_at <= clock_timestamp() + {room} RETURNING true),
        passed{n} AS (SELECT FROM charged{n} UNION ALL SELECT FROM keys, {before} WHERE k{n} IS NULL)""")
        before = f"passed{n}"
    return text(f"{', '.join(steps)} SELECT count(*) FROM {before}")


def _give_back(limits: tuple[Limit, ...]) -> TextClause:
    steps, before = [_keys(limits)], "true"
    for n, limit in enumerate(limits):
        steps.append(f"""given{n} AS (UPDATE throttles SET free_at = free_at - interval '{limit.seconds} s'
            WHERE {before} AND key = (SELECT k{n} FROM keys) RETURNING true)""")
        before = f"(SELECT count(*) >= 0 FROM given{n})"
    return text(f"{', '.join(steps)} SELECT {before}")
