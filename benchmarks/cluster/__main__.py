"""`python -m benchmarks.cluster`: a cluster on this machine, what is done to it, and what its clients see."""

import argparse
import os
import signal
import sys
import time

from benchmarks.cluster import configuration, programs, report
from benchmarks.cluster.processes import Processes
from benchmarks.cluster.programs import NEEDED, Missing
from benchmarks.cluster.scenarios import Cluster, Seen, watch
from benchmarks.cluster.setups import SETUPS, TITLES, Setup


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--setups", nargs="+", choices=SETUPS, default=list(SETUPS))
    parser.add_argument("--scenarios", nargs="+", choices=TITLES, default=list(TITLES))
    parser.add_argument("--ttl", type=int, default=configuration.TTL, help="Patroni's, in seconds, 20 at least")
    return parser.parse_args()


def require_programs() -> None:
    """Raises: Missing."""
    for name in NEEDED:
        programs.find(name)
    programs.postgres()
    programs.python()


def run(setup: Setup, chosen: list[str], ttl: int) -> list[Seen]:
    seen = []
    with Processes() as processes:
        began = time.monotonic()
        cluster = Cluster(processes, setup, ttl)
        print(f"{setup.title}: there after {time.monotonic() - began:.0f} s", file=sys.stderr)
        with cluster.clients:
            for scenario in (one for one in setup.scenarios if one in chosen):
                seen.append(watch(cluster, scenario))
                print(report.line(seen[-1]), file=sys.stderr)
        for complaint in cluster.services.complaints():
            print(complaint, file=sys.stderr)
    return seen


def main() -> None:
    options = arguments()
    # Whoever ends this ends all that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        require_programs()
        for name in options.setups:
            setup = SETUPS[name]
            table = report.table(run(setup, options.scenarios, options.ttl))
            load = " ".join(f"{average:.1f}" for average in os.getloadavg())
            print(f"\n{setup.title}, ttl {options.ttl} s, {os.cpu_count()} cores with a load of {load}\n\n{table}\n")
    except Missing as reason:
        print(f"Skipped: {reason}", file=sys.stderr)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
