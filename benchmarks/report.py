"""Report: the tables on the terminal, and the same as JSON that names no machine."""

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.bars import CPU, P99, RATE, Bar
from benchmarks.figures import Figures, Ratio
from benchmarks.rounds import PROCESS, Key, Plan, Sample
from benchmarks.servers import FASTIFY, SERVERS
from benchmarks.workloads import WORKLOADS

FIGURES = (RATE, "p50_ms", P99, CPU, "database_cpu_ms_per_request", "start_ms", "worker_rss_mb", "rss_mib")
PACKAGES = ("litestar", "granian", "fastapi", "uvicorn", "sqlalchemy", "advanced-alchemy", "asyncpg")
VERDICTS = {True: "[green]pass[/]", False: "[red]miss[/]", None: "[dim]not measured[/]"}


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(ratio: Ratio | None) -> str:
    """`8.1 (7.9-8.4)`: the median of the rounds' ratios, the lowest and the highest."""
    if ratio is None or ratio.low == ratio.high:
        return number(ratio.median) if ratio else ""
    return f"{number(ratio.median)} ({number(ratio.low)}-{number(ratio.high)})"


def workloads_table(figures: Figures, size: int) -> Table:
    title = f"{size:,} users (ratios: textbook = 1; CPU is per request, PG is PostgreSQL's)"
    table = Table(title=title, title_justify="left")
    for column in ("workload", "server"):
        table.add_column(column, no_wrap=True)
    for column in ("req/s", "ratio", "p50 ms", "p99 ms", "ratio", "CPU ms", "ratio", "PG ms"):
        table.add_column(column, justify="right", no_wrap=True)
    for workload in WORKLOADS.values():
        keys = [key for key in figures.keys if key.workload == workload.name and key.size == size]
        for row, key in enumerate(sorted(keys, key=lambda key: list(SERVERS).index(key.server))):
            textbook = key._replace(server="textbook")
            table.add_row(
                "" if row else workload.title,
                SERVERS[key.server].title,
                number(figures.median(RATE, key)),
                spread(figures.ratio(RATE, key, textbook)),
                number(figures.median("p50_ms", key)),
                number(figures.median(P99, key)),
                spread(figures.ratio(P99, key, textbook)),
                number(figures.median(CPU, key)),
                spread(figures.ratio(CPU, key, textbook)),
                number(figures.median("database_cpu_ms_per_request", key)),
            )
        table.add_section()
    return table


def processes_table(figures: Figures, size: int) -> Table:
    table = Table(title=f"processes, {size:,} users", title_justify="left")
    table.add_column("server")
    for column in ("start to first 200, ms", "ratio", "RSS of the worker, MB", "with its parent, MiB"):
        table.add_column(column, justify="right")
    for name, server in SERVERS.items():
        key = Key(name, PROCESS, size)
        if figures.median("start_ms", key) is not None:
            ratio = figures.ratio("start_ms", key, key._replace(server="textbook"))
            start, rss = figures.median("start_ms", key), figures.median("worker_rss_mb", key)
            both = figures.median("rss_mib", key)
            table.add_row(server.title, number(start), spread(ratio), number(rss), number(both))
    return table


def bars_table(figures: Figures, bars: Sequence[Bar]) -> Table:
    table = Table(title="bars (ratios: textbook = 1)", title_justify="left")
    table.add_column("bar")
    table.add_column("asked", justify="right")
    table.add_column("measured", justify="right")
    table.add_column("verdict")
    for bar in bars:
        asked = f"{'>=' if bar.at_least else '<='} {bar.limit:g}"
        table.add_row(bar.title, asked, number(bar.measured(figures)), VERDICTS[bar.passed(figures)])
    return table


def show(figures: Figures, bars: Sequence[Bar], sizes: Sequence[int]) -> None:
    # Wide enough for its longest row where the output is a file.
    console = Console(width=None if os.isatty(1) else 180)
    for size in sizes:
        console.print(workloads_table(figures, size))
        console.print(processes_table(figures, size))
    console.print(bars_table(figures, bars))


def as_json(plan: Plan, samples: Sequence[Sample], bars: Sequence[Bar], *, postgresql: str) -> dict[str, Any]:
    figures = Figures(samples)
    return {
        "run": {
            "rounds": 1 + max(sample.round for sample in samples),
            "seconds": plan.seconds,
            "sizes": list(plan.sizes),
            "cores": os.cpu_count(),
            "versions": {"python": platform.python_version(), "postgresql": postgresql}
            | {package: version(package) for package in PACKAGES}
            | fastify_versions(),
        },
        "bars": [
            {
                "title": bar.title,
                "limit": bar.limit,
                "at_least": bar.at_least,
                "measured": bar.measured(figures),
                "passed": bar.passed(figures),
            }
            for bar in bars
        ],
        "medians": [medians(figures, key) for key in figures.keys],
        "samples": [sample.as_dict() for sample in samples],
    }


def fastify_versions() -> dict[str, str]:
    return dict(json.loads((FASTIFY / "package.json").read_text())["dependencies"]) if SERVERS["fastify"].exists else {}


def medians(figures: Figures, key: Key) -> dict[str, Any]:
    """The medians of a key's figures; under `ratios`, those to the textbook of the same rounds."""
    textbook = key._replace(server="textbook")
    values = {figure: figures.median(figure, key) for figure in FIGURES}
    ratios = {figure: figures.ratio(figure, key, textbook) for figure in FIGURES}
    return {
        **key._asdict(),
        **{figure: round(value, 4) for figure, value in values.items() if value is not None},
        "ratios": {figure: [round(part, 4) for part in ratio] for figure, ratio in ratios.items() if ratio},
    }


def write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
