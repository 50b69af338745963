"""Setups: how a cluster is put together, and what is done to each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setup:
    """How the database copies, and how the services reach it."""

    title: str
    synchronous: bool
    several_hosts: bool
    scenarios: tuple[str, ...]


SETUPS = {
    "synchronous": Setup(
        "synchronous, PgBouncer and HAProxy",
        True,
        False,
        ("switchover", "postgres", "machine", "behind", "standby", "service", "migration"),
    ),
    "hosts": Setup(
        "synchronous, several hosts in the URL", True, True, ("switchover", "postgres", "machine", "standby")
    ),
    "asynchronous": Setup("asynchronous, PgBouncer and HAProxy", False, False, ("switchover", "machine", "behind")),
}
BEHIND_SECONDS = 0.5
TITLES = {
    "switchover": "planned switchover",
    "postgres": "kill -9 of the primary's PostgreSQL",
    "machine": "kill -9 of the primary and its Patroni",
    "behind": f"the same, {BEHIND_SECONDS} s after its network",
    "standby": "kill -9 of the synchronous standby and its Patroni",
    "service": "kill -9 of a service",
    "migration": "expand, roll, contract, roll",
}
