"""`python -m benchmarks.repeats`: what an Idempotency-Key costs, and what it costs those who send none.

`--before FOLDER` runs an older checkout beside it, on the same database: the 1 of every ratio. Without one that is a
POST without a key.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import load
from benchmarks.bars import CPU, RATE
from benchmarks.figures import Figures
from benchmarks.load import REPEATABLE, Traffic
from benchmarks.measurement import attempt, settle
from benchmarks.postgres import Postgres
from benchmarks.report import number, spread
from benchmarks.rounds import Key, Sample, rotated
from benchmarks.servers import GRANIAN, Running, Server

CLIENTS = 8
SIZE = 10_000
COMMAND = (*GRANIAN, "--factory", "app:create_app")
PG, ALL = "database_cpu_ms_per_request", "all_cpu_ms_per_request"


def measured(before: Path | None, postgres: Postgres, *, rounds: int, seconds: int) -> Iterator[Sample]:
    """Raises: LoadError, AnswerError."""
    servers = [Server("now", "now", COMMAND, "ours")]
    servers += [Server("before", "before", COMMAND, "ours", folder=before.resolve())] if before else []
    database = postgres.database("ours", SIZE)
    with ExitStack() as stack:
        turns = []
        for server in servers:
            running = Running(server, database)
            stack.callback(running.stop)
            turns += [(running, kind) for kind in REPEATABLE if server.name == "now" or kind in ("create", "developer")]
            load.run(running.port, Traffic("developer", CLIENTS), users=SIZE, seconds=1, seed=0)
            settle(running)
        for number_of_round in range(rounds):
            for running, kind in rotated(turns, number_of_round * 3):
                traffic = Traffic(kind, CLIENTS)
                _, figures = attempt(running, traffic, None, postgres, seconds=seconds, seed=number_of_round)
                database.run("TRUNCATE idempotency_keys")
                yield Sample(number_of_round, Key(running.server.name, kind, SIZE), figures)


def table(figures: Figures) -> Table:
    shown = Table(title=f"{CLIENTS} clients (CPU is per request, PG is PostgreSQL's)", title_justify="left")
    for name in ("POST", "server", "req/s", "p50 ms", "CPU ms", "ratio", "PG ms", "ratio", "both, ratio"):
        shown.add_column(name, justify="right" if name not in ("POST", "server") else "left", no_wrap=True)
    for key in sorted(figures.keys, key=lambda key: (REPEATABLE.index(key.workload), key.server)):
        one = key._replace(workload=key.workload.partition("_")[0])
        one = one if (older := one._replace(server="before")) not in figures.keys else older
        cells = [number(figures.median(name, key)) for name in (RATE, "p50_ms", CPU, PG)]
        ratios = [spread(figures.ratio(name, key, one)) for name in (CPU, PG, ALL)]
        shown.add_row(key.workload, key.server, *cells[:3], ratios[0], cells[3], *ratios[1:])
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.repeats", description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of an older commit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    options = parser.parse_args()
    load.require_wrk()
    samples = measured(options.before, Postgres(), rounds=options.rounds, seconds=options.seconds)
    Console(width=None if os.isatty(1) else 150).print(table(Figures(samples)))


if __name__ == "__main__":
    main()
