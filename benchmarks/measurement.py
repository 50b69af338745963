"""Measurement: one workload on one server, as figures whose names carry their units."""

import time

from benchmarks import load
from benchmarks.answers import AnswerError
from benchmarks.load import Load, Traffic
from benchmarks.postgres import Postgres
from benchmarks.servers import Running, tree_cpu_seconds
from benchmarks.workloads import Workload

FEWEST_REQUESTS = 20
LONGER = 4
SETTLE_SECONDS = 0.1

Figures = dict[str, float]


def measure(running: Running, workload: Workload, postgres: Postgres, *, seconds: int, seed: int) -> Figures:
    """Warm up for a quarter of `seconds`, then measure. Raises: LoadError, AnswerError.

    What gives few answers in that time is measured once more, for longer.
    """
    traffic = workload.traffic_for(running)
    signers = Traffic("create", workload.signers) if workload.signers else None
    try:
        if traffic.kind != "burst":
            load.run(running.port, traffic, users=running.database.size, seconds=seconds / 4, seed=seed)
            settle(running)
        result, figures = attempt(running, traffic, signers, postgres, seconds=seconds, seed=seed)
        if result.requests < FEWEST_REQUESTS:
            seconds *= LONGER
            result, figures = attempt(running, traffic, signers, postgres, seconds=seconds, seed=seed)
        if not result.requests:
            raise load.LoadError(f"not one answer in {seconds} s")
    except load.LoadError as error:
        error.add_note(f"{running.server.name} under {workload.name}, its log:\n{running.log_tail()}")
        raise
    if signers:
        # The clients beside have their share of the CPU: it is not that of the measured requests.
        return {figure: value for figure, value in figures.items() if "cpu" not in figure}
    return figures


def attempt(
    running: Running,
    traffic: Traffic,
    signers: Traffic | None,
    postgres: Postgres,
    *,
    seconds: int,
    seed: int,
) -> tuple[Load, Figures]:
    users = running.database.size
    with load.beside(running.port, signers, users=users, seconds=seconds, seed=seed):
        before = cpu_seconds(running, postgres)
        result = load.run(running.port, traffic, users=users, seconds=seconds, seed=seed)
        after = cpu_seconds(running, postgres)
    settle(running)
    if signers or traffic.kind in load.WRITING:
        check_written(running, traffic.kind, result.requests)
    figures = {name: (spent - before[name]) * 1e3 / max(result.requests, 1) for name, spent in after.items()}
    if "database_cpu_ms_per_request" in figures:
        figures["all_cpu_ms_per_request"] = sum(figures.values())
    figures["requests_per_second"] = result.requests / result.seconds
    return result, figures | {"p50_ms": result.p50_ms, "p99_ms": result.p99_ms}


def cpu_seconds(running: Running, postgres: Postgres) -> Figures:
    """By the names that these get per request, in ms. A PostgreSQL elsewhere is left out."""
    spent = {"cpu_ms_per_request": running.cpu_seconds()}
    if postgres.process:
        spent["database_cpu_ms_per_request"] = tree_cpu_seconds(postgres.process)
    return spent


def settle(running: Running) -> None:
    """Wait until the server is idle: wrk leaves before its last answers, and whoever is next would pay."""
    before = -1.0
    while running.database.is_busy() or running.cpu_seconds() - before > SETTLE_SECONDS / 5:
        before = running.cpu_seconds()
        time.sleep(SETTLE_SECONDS)


def check_written(running: Running, kind: str, requests: int) -> None:
    """Remove what was written; each 201 must have been rows. More rows are in order, wrk leaves early."""
    users, developers = running.database.remove_written()
    made = {"create": users, "developer": developers, "bulk": developers / 1000}.get(kind.removesuffix("_keyed"))
    if made is not None and made < requests:
        rows = users + developers
        raise AnswerError(f"{running.server.name}: {requests} times 201, but {rows} rows")
