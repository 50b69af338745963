"""`python -m benchmarks.layers`: where the CPU of a GET by id goes, beside the same without framework."""

import sys
from statistics import median

from benchmarks import load, rounds
from benchmarks.load import Traffic
from benchmarks.postgres import Postgres
from benchmarks.rounds import Plan, Sample
from benchmarks.servers import SERVERS
from benchmarks.workloads import Workload

CLIENTS = (1, 8, 32)
WORKLOADS = [
    Workload(f"{kind}_{clients}", "", Traffic(kind, clients, "/health/live"))
    for clients in CLIENTS
    for kind in ("path", "get")
]
"""Each route that asks no database, before the one that does."""


def microseconds(samples: list[Sample], server: str, workload: str) -> tuple[float, float]:
    """CPU of a request: the server's, and PostgreSQL's."""
    figures = [sample.figures for sample in samples if sample.key[:2] == (server, workload)]
    ours = median(figure["cpu_ms_per_request"] for figure in figures)
    return ours * 1e3, median(figure.get("database_cpu_ms_per_request", 0) for figure in figures) * 1e3


def main() -> None:
    load.require_wrk()
    plan = Plan([SERVERS["bare"], SERVERS["ours"]], WORKLOADS, [100_000], minutes=2, seconds=2)
    samples = []
    for sample in rounds.run(plan, Postgres()):
        samples.append(sample)
        print(f"round {sample.round + 1}:", *sample.key, file=sys.stderr)
    print(
        "CPU of a GET by id, in us\n\n| clients | server, Granian | framework and middleware | reading | in all |",
        end="",
    )
    print(" bare's reading | bare in all | PostgreSQL | PostgreSQL for bare |\n|" + "--:|" * 9)
    for clients in CLIENTS:
        floor, _ = microseconds(samples, "bare", f"path_{clients}")
        bare, bare_database = microseconds(samples, "bare", f"get_{clients}")
        live, _ = microseconds(samples, "ours", f"path_{clients}")
        whole, database = microseconds(samples, "ours", f"get_{clients}")
        cells = (clients, floor, live - floor, whole - live, whole, bare - floor, bare, database, bare_database)
        print("|", " | ".join(f"{cell:.0f}" for cell in cells), "|")


if __name__ == "__main__":
    main()
