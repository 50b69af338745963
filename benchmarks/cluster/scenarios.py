"""Scenarios: what happens to a cluster under load, and what its clients see of it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from alembic.script import ScriptDirectory

from app.database.engine import ROOT
from benchmarks.cluster.clients import Clients
from benchmarks.cluster.database import Database
from benchmarks.cluster.ledger import Ledger, longest_gap
from benchmarks.cluster.processes import Processes
from benchmarks.cluster.services import Services
from benchmarks.cluster.setups import BEHIND_SECONDS, Setup

BEFORE_SECONDS = 3
AFTER_SECONDS = 4
WHOLE_SECONDS = 120
STORED = """
SELECT '/users/' || id AS path, email, name FROM users
UNION ALL SELECT '/developers/' || id, email, name FROM developers
"""


@dataclass(frozen=True)
class Seen:
    """What clients saw of a scenario."""

    scenario: str
    without_primary: float
    without_writes: float
    without_reads: float
    whole_after: float
    lost: int
    ledger: Ledger


class Cluster:
    """All of it, and its clients."""

    def __init__(self, processes: Processes, setup: Setup, ttl: int) -> None:
        self.database = Database(processes, synchronous=setup.synchronous, ttl=ttl)
        self.services = Services(processes, self.database, several_hosts=setup.several_hosts)
        self.clients = Clients(self.services.port, self.database.url)

    def switchover(self) -> None:
        self.database.switch_over()

    def postgres(self) -> None:
        self.database.kill_postgres()

    def machine(self, behind: float = 0) -> None:
        """It comes back once another one leads, as whatever that makes of it."""
        node = self.database.leader()
        if behind:
            self.database.cut_off(node)
            time.sleep(behind)
        self.database.kill(node)
        _until(lambda: self.database.with_role("leader") not in (None, node))
        self.database.start(node)

    def behind(self) -> None:
        self.machine(BEHIND_SECONDS)

    def standby(self) -> None:
        """The one that has whatever is acknowledged."""
        node = self.database.with_role("sync_standby")
        if node is None:
            raise SystemExit("there is no synchronous standby")
        self.database.kill(node)
        _until(lambda: self.database.with_role("sync_standby") not in (None, node))
        self.database.start(node)

    def service(self) -> None:
        self.services.kill("service-1")
        time.sleep(AFTER_SECONDS)
        self.services.start("service-1")

    def migration(self) -> None:
        head = str(ScriptDirectory(str(ROOT / "alembic")).get_current_head())
        for release in self.services.releases(head):
            if not self.services.upgrade(release):
                raise SystemExit(f"{release} does not migrate")
            self.services.roll_out(release)

    def stored(self) -> Iterator[tuple[str, str, int]]:
        for row in self.database.fetch(STORED):
            yield row["path"], row["email"], int(row["name"])


def watch(cluster: Cluster, scenario: str) -> Seen:
    """Let it happen, and wait until everything is as before."""
    _until(lambda: bool(cluster.clients.ledger.writes))
    ledger = cluster.clients.begin()
    time.sleep(BEFORE_SECONDS)
    happened = time.monotonic()
    getattr(cluster, scenario)()
    time.sleep(AFTER_SECONDS)
    _until(cluster.database.is_whole)
    whole = time.monotonic()
    # All of them write again, and have for a while.
    _until(lambda: bool(ledger.writes) and time.monotonic() - ledger.writes[-1] < 1)
    time.sleep(AFTER_SECONDS)
    _until(cluster.database.is_whole)
    ended = time.monotonic()
    cluster.clients.begin()
    lost = ledger.lost(cluster.stored())
    cluster.clients.ledger.acknowledged.clear()
    return Seen(
        scenario,
        without_primary=longest_gap(ledger.primaries, ledger.began, ended),
        without_writes=longest_gap(ledger.writes, ledger.began, ended),
        without_reads=longest_gap(ledger.reads, ledger.began, ended),
        whole_after=whole - happened,
        lost=lost,
        ledger=ledger,
    )


def _until(is_so: Callable[[], bool]) -> None:
    """Raises: SystemExit."""
    deadline = time.monotonic() + WHOLE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit("the cluster does not come back")
        time.sleep(0.1)
