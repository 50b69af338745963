"""Workloads: what is sent to every contestant, and at which sizes."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from benchmarks.load import WRITING, Traffic
from benchmarks.servers import Running, Server

SIZES = (100_000, 1_000_000)
PAGE = 20


@dataclass(frozen=True)
class Workload:
    """Traffic by its name. `signers` clients create users beside it; `at_all_sizes` if the size may matter.

    In a path, `{deep}` is the page at four fifths of the list, `{cursor}` the cursor at the same place, and
    `{cursors}` stands for all of them, of which each request takes one.
    """

    name: str
    title: str
    traffic: Traffic
    signers: int = 0
    at_all_sizes: bool = False

    @property
    def writes(self) -> bool:
        return bool(self.signers) or self.traffic.kind in WRITING

    def fits(self, server: Server) -> bool:
        if self.writes and not server.writes:
            return False
        return server.has_cursor or "cursor" not in self.traffic.path

    def traffic_for(self, running: Running) -> Traffic:
        path = self.traffic.path
        if "{deep}" in path:
            path = path.format(deep=deep_page(running.database.size))
        elif "{cursor}" in path:
            path = path.format(cursor=deep_cursor(running))
        elif "{cursors}" in path:
            path = str(cursors_file(running))
        return replace(self.traffic, path=path)


LIVE = Traffic("path", 2, "/health/live")


def pages(name: str, title: str, path: str, *, clients: int, at_all_sizes: bool = True) -> Workload:
    return Workload(name, title, Traffic("path", clients, path), at_all_sizes=at_all_sizes)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("get_by_id", "GET by id", Traffic("get", 32)),
        Workload("get_by_id_8", "GET by id, 8 clients", Traffic("get", 8)),
        Workload("get_by_id_1", "GET by id, 1 client", Traffic("get", 1)),
        Workload("after_rest", "GET by id after a rest", Traffic("burst", 32)),
        pages("page_1", "page 1 of 20", f"/users?page=1&size={PAGE}", clients=32),
        Workload("random_page", "pages at random", Traffic("page", 32)),
        pages("page_of_100", "page of 100", "/users?page=1&size=100", clients=8, at_all_sizes=False),
        pages("deep_page", "page at 4/5 of the list", f"/users?page={{deep}}&size={PAGE}", clients=4),
        pages("first_cursor", "first cursor page", f"/users?cursor=&size={PAGE}", clients=8),
        pages("deep_cursor", "cursor page at 4/5", f"/users?cursor={{cursor}}&size={PAGE}", clients=8),
        Workload("random_cursor", "cursor pages at random", Traffic("cursor", 32, "{cursors}")),
        Workload("create", "create", Traffic("create", 8)),
        Workload("get_while_creating", "GET while 4 create", Traffic("get", 8), signers=4),
        # Without pauses a faster server would get more creates, thus a longer queue of hashes. Here all get the
        # same: about two thirds of what the textbook can answer.
        Workload("mixed_paced", "90 reads, 10 creates", Traffic("mixed", 16, pause_ms=60)),
        Workload("live_while_signing_up", "live while 8 sign up", LIVE, signers=8),
        Workload("get_while_signing_up", "GET while 8 sign up", Traffic("get", 2), signers=8),
        Workload("bulk", "bulk of 1,000", Traffic("bulk", 2)),
    )
}


def main_size(sizes: Sequence[int]) -> int:
    """The size at which every workload runs: 100k where that is among them."""
    return 100_000 if 100_000 in sizes else max(sizes)


def deep_page(size: int) -> int:
    return size // PAGE * 4 // 5


_cursors: dict[tuple[str, int], list[str]] = {}


def deep_cursor(running: Running) -> str:
    """The cursor before `deep_page`."""
    return cursors(running)[-1]


def cursors_file(running: Running) -> Path:
    """All of them, each on a line."""
    file = Path(tempfile.gettempdir()) / f"cursors-{running.server.name}-{os.getpid()}"
    file.write_text("\n".join(cursors(running)))
    return file


def cursors(running: Running) -> list[str]:
    """Walk to the one before `deep_page`. Once a server and size: a cursor holds no state of a process."""
    key = running.server.name, running.database.size
    if key not in _cursors:
        found = [""]
        for _ in range((deep_page(running.database.size) - 1) * PAGE // 100):
            found.append(quote(json.loads(running.get(f"/users?cursor={found[-1]}&size=100")[1])["next_cursor"]))
        _cursors[key] = found
    return _cursors[key]
