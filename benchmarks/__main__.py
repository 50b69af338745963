"""`python -m benchmarks`: run the contestants, print the tables, write results.json and plot.svg."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks import load, plot, report, rounds
from benchmarks.bars import bars
from benchmarks.figures import Figures
from benchmarks.postgres import Postgres
from benchmarks.rounds import Plan
from benchmarks.servers import SERVERS, install_fastify, install_service
from benchmarks.workloads import SIZES, WORKLOADS

FOLDER = Path(__file__).parent
SHORT = ("get_by_id", "get_by_id_8", "get_by_id_1", "after_rest", "page_1", "random_page", "random_cursor")


def chosen(names: str, among: Sequence[str]) -> list[str]:
    """`a,b` as a list in the order of `among`. Raises: ArgumentTypeError."""
    asked = set(names.split(","))
    if unknown := asked - set(among):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(among)}")
    return [name for name in among if name in asked]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    there = [name for name, server in SERVERS.items() if server.exists]
    for option, among in (
        ("--only", there),
        ("--workloads", list(WORKLOADS)),
        ("--sizes", [*map(str, SIZES)]),
    ):
        parser.add_argument(option, type=partial(chosen, among=among), default=among, help=f"of {','.join(among)}")
    parser.add_argument("--minutes", type=float, default=8, help="rounds that do not fit in are not begun")
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--short", action="store_true", help="some two minutes: reads at one size")
    parser.add_argument("--judge", choices=there, default="ours" if "ours" in there else "bare")
    parser.add_argument("--output", type=Path, help="folder of results.json and plot.svg (a full run's: here)")
    options = parser.parse_args()
    if options.short:
        options.workloads, options.sizes, options.minutes = list(SHORT), [str(SIZES[0])], 1
    return options


def is_full(plan: Plan) -> bool:
    there = [server for server in SERVERS.values() if server.exists]
    return (len(plan.servers), len(plan.workloads), len(plan.sizes)) == (len(there), len(WORKLOADS), len(SIZES))


def main() -> None:
    options = arguments()
    load.require_wrk()
    install_service()
    if "fastify" in options.only:
        install_fastify()
    elif not SERVERS["fastify"].exists:
        print("fastify is left out: there is no node, or no npm", file=sys.stderr)
    plan = Plan(
        servers=[SERVERS[name] for name in options.only],
        workloads=[WORKLOADS[name] for name in options.workloads],
        sizes=[int(size) for size in options.sizes],
        minutes=options.minutes,
        seconds=options.seconds,
    )
    postgres = Postgres()
    samples = []
    for sample in rounds.run(plan, postgres):
        samples.append(sample)
        print(f"round {sample.round + 1}:", *sample.key, file=sys.stderr)
    judged = bars(options.judge, list(plan.sizes))
    report.show(Figures(samples), judged, plan.sizes)
    results = report.as_json(plan, samples, judged, postgresql=postgres.version)
    # A run of a part must not replace the figures of a whole one.
    output = options.output or (FOLDER if is_full(plan) else None)
    if output:
        report.write(output / "results.json", results)
        plot.write(output / "plot.svg", results)


if __name__ == "__main__":
    main()
