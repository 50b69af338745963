"""Limits: how often something may be tried, and the statements that count it (GCRA).

A key is free again at `free_at`. Each attempt moves that on by `seconds`, and is refused where it lies too far ahead.
"""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import TextClause, text

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


def look(limits: tuple[Limit, ...]) -> TextClause:
    """How many seconds each key is ahead."""
    ahead = "(SELECT extract(epoch FROM free_at - clock_timestamp()) FROM throttles WHERE key = k{})"
    return text(f"{_keys(limits)} SELECT {', '.join(map(ahead.format, range(len(limits))))} FROM keys")


def charge(limits: tuple[Limit, ...]) -> TextClause:
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


def give_back(limits: tuple[Limit, ...]) -> TextClause:
    steps, before = [_keys(limits)], "true"
    for n, limit in enumerate(limits):
        steps.append(f"""given{n} AS (UPDATE throttles SET free_at = free_at - interval '{limit.seconds} s'
            WHERE {before} AND key = (SELECT k{n} FROM keys) RETURNING true)""")
        before = f"(SELECT count(*) >= 0 FROM given{n})"
    return text(f"{', '.join(steps)} SELECT {before}")
