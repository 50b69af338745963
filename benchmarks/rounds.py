"""Rounds: every round runs each server once for each workload, in rotated order, and yields Samples."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from benchmarks import answers
from benchmarks.measurement import measure
from benchmarks.postgres import Postgres
from benchmarks.servers import Running, Server
from benchmarks.workloads import Workload, main_size

T = TypeVar("T")

PROCESS = "process"
"""The workload of samples about the processes: `start_ms`, and after reads `worker_rss_mb`, `rss_mib` of all."""


class Key(NamedTuple):
    """What is compared: one server under one workload at one number of users."""

    server: str
    workload: str
    size: int


@dataclass(frozen=True)
class Sample:
    """What one round measured for a key; the names of the figures carry their units."""

    round: int
    key: Key
    figures: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        figures = {figure: round(value, 4) for figure, value in self.figures.items()}
        return {"round": self.round, **self.key._asdict(), **figures}


@dataclass(frozen=True)
class Plan:
    """What to run. `seconds` is the length of each measurement; a warm-up of a quarter goes before it.

    There are as many rounds as fit into `minutes`, and one in any case.
    """

    servers: Sequence[Server]
    workloads: Sequence[Workload]
    sizes: Sequence[int]
    minutes: float
    seconds: int

    def workloads_at(self, size: int) -> list[Workload]:
        return [w for w in self.workloads if w.at_all_sizes or size == main_size(self.sizes)]


def rotated(items: Sequence[T], by: int) -> list[T]:
    by %= len(items)
    return [*items[by:], *items[:by]]


def run(plan: Plan, postgres: Postgres) -> Iterator[Sample]:
    """Raises: AnswerError, LoadError."""
    began = ended = time.monotonic()
    longest, round_ = 0.0, 0
    for server in plan.servers:
        Running(server, postgres.database(server.owner, plan.sizes[0])).stop()  # It has its bytecode from now on.
    while ended + longest <= began + plan.minutes * 60:
        for size in plan.sizes:
            yield from run_size(plan, postgres, round_, size)
        longest, ended, round_ = max(longest, time.monotonic() - ended), time.monotonic(), round_ + 1


def run_size(plan: Plan, postgres: Postgres, round_: int, size: int) -> Iterator[Sample]:
    with ExitStack() as stack:
        started = []
        for server in rotated(plan.servers, round_):
            running = Running(server, postgres.database(server.owner, size))
            stack.callback(running.stop)
            started.append(running)
        for running in started:
            answers.check(running)
        resident: dict[str, dict[str, float]] = {}
        for number, workload in enumerate(plan.workloads_at(size)):
            for running in rotated(started, number + round_):
                name = running.server.name
                if workload.writes and name not in resident:
                    resident[name] = running.resident()
                if workload.fits(running.server):
                    figures = measure(running, workload, postgres, seconds=plan.seconds, seed=round_)
                    yield Sample(round_, Key(name, workload.name, size), figures)
        for running in started:
            name = running.server.name
            figures = {"start_ms": running.start_seconds * 1e3} | (resident.get(name) or running.resident())
            yield Sample(round_, Key(name, PROCESS, size), figures)
