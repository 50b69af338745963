"""Database: three PostgreSQL under Patroni, which agree through etcd on who takes writes."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from benchmarks.cluster import configuration, programs
from benchmarks.cluster.api import ask
from benchmarks.cluster.configuration import Node
from benchmarks.cluster.processes import Processes, kill_all, processes_below
from tests.faults.ports import free_port

NAMES = ("one", "two", "three")


class Database:
    """Raises: Missing, SystemExit where something does not start."""

    def __init__(self, processes: Processes, *, synchronous: bool, ttl: int) -> None:
        self.nodes = [Node(name, free_port(), free_port()) for name in NAMES]
        self._processes = processes
        self._synchronous = synchronous
        self._patroni = processes.folder / "patroni"
        self._etcd = self._start_etcd()
        if not self._patroni.exists():
            programs.install_patroni(self._patroni)
        for node in self.nodes:
            home = processes.home(node.name)
            text = configuration.patroni(
                node,
                etcd=self._etcd,
                home=home,
                programs=programs.postgres(),
                synchronous=synchronous,
                ttl=ttl,
            )
            processes.write(f"{node.name}.yml", text)
            self.start(node)
            if node is self.nodes[0]:
                # The first one makes the data, of which the others take copies.
                processes.until(node.name, partial(self._runs, node))
        processes.until(NAMES[0], self.is_whole)

    def _start_etcd(self) -> int:
        client, peer = free_port(), free_port()
        home, urls = self._processes.home("etcd"), [f"http://127.0.0.1:{port}" for port in (client, peer)]
        arguments = ["--data-dir", str(home), "--listen-client-urls", urls[0], "--advertise-client-urls", urls[0]]
        arguments += ["--listen-peer-urls", urls[1], "--initial-advertise-peer-urls", urls[1]]
        arguments += ["--initial-cluster", f"default={urls[1]}"]
        self._processes.start("etcd", programs.find("etcd"), *arguments, cwd=home)
        self._processes.until("etcd", lambda: bool(ask(client, "/health")))
        return client

    def start(self, node: Node) -> None:
        """Start a Patroni, which starts its PostgreSQL, and makes it a standby where another one leads."""
        configured = self._processes.folder / f"{node.name}.yml"
        command = [programs.python(), "-m", "patroni", str(configured)]
        home = self._home(node)
        self._processes.start(node.name, *command, cwd=home, PYTHONPATH=str(self._patroni), HOME=str(home))

    def _home(self, node: Node) -> Path:
        return self._processes.folder / node.name

    def members(self) -> list[dict[str, Any]]:
        """As any Patroni that answers tells."""
        for node in self.nodes:
            if found := ask(node.api, "/cluster"):
                return list(found.get("members", []))
        return []

    def _runs(self, node: Node) -> bool:
        return any(one["name"] == node.name and one["state"] in ("running", "streaming") for one in self.members())

    def is_whole(self) -> bool:
        """One leads, the others follow, and where it has to be so one of them has whatever is acknowledged."""
        mode = "sync_standby" if self._synchronous else "replica"
        if sorted(member["role"] for member in self.members()) != ["leader", "replica", mode]:
            return False
        try:
            states = self.fetch("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return False
        return sorted(row[0] for row in states) == ["async", "sync" if self._synchronous else "async"]

    def with_role(self, role: str) -> Node | None:
        """Who leads, or is the `sync_standby`."""
        names = [member["name"] for member in self.members() if member["role"] == role]
        return next((node for node in self.nodes if node.name in names), None)

    def leader(self) -> Node:
        node = self.with_role("leader")
        if node is None:
            raise SystemExit("nobody leads")
        return node

    def switch_over(self) -> None:
        """What `patronictl switchover` does: another one shall lead. Raises: SystemExit."""
        leader = self.leader()
        followers = [member for member in self.members() if member["role"] != "leader"]
        # A synchronous standby, where there is one: nobody else may.
        candidate = max(followers, key=lambda member: member["role"] == "sync_standby")["name"]
        body = {"leader": leader.name, "candidate": candidate}
        if ask(leader.api, "/switchover", body) is None:
            raise SystemExit(f"no switchover:\n{self._processes.log(leader.name).read_text()[-2000:]}")

    def kill_postgres(self) -> None:
        """PostgreSQL alone: its Patroni lives, and starts it again."""
        kill_all(self.postgres_of(self.leader()))

    def cut_off(self, node: Node) -> None:
        """From now on nothing goes to its standbys."""
        for process in self.postgres_of(node):
            if "walsender" in " ".join(process.cmdline()):
                process.suspend()

    def kill(self, node: Node) -> None:
        """As if its machine had lost its power."""
        self._processes.kill(node.name)
        kill_all(self.postgres_of(node))

    def postgres_of(self, node: Node) -> list[psutil.Process]:
        return processes_below(self._home(node) / "data")

    def fetch(self, sql: str) -> list[asyncpg.Record]:
        """Ask whoever leads."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.url, timeout=2)
            try:
                found: list[asyncpg.Record] = await connection.fetch(sql)
                return found
            finally:
                await connection.close()

        return asyncio.run(run())

    @property
    def url(self) -> str:
        """Of whichever takes writes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
