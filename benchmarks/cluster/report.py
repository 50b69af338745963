"""Report: a line for each scenario, as a table of Markdown."""

from collections.abc import Sequence

from benchmarks.cluster.scenarios import Seen
from benchmarks.cluster.setups import TITLES

COLUMNS = (
    "what happens",
    "s without a primary",
    "without writes",
    "without reads",
    "slowest answer, s",
    "errors that clients saw",
    "sent again, replayed",
    "writes acknowledged",
    "lost",
    "whole after, s",
)


def table(seen: Sequence[Seen]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    return "\n".join([*lines, *map(line, seen)])


def line(seen: Seen) -> str:
    ledger = seen.ledger
    errors = ", ".join(f"{count} {kind}" for kind, count in ledger.errors.most_common()) or "none"
    cells = (
        TITLES[seen.scenario],
        f"{seen.without_primary:.1f}",
        f"{seen.without_writes:.1f}",
        f"{seen.without_reads:.1f}",
        f"{ledger.slowest:.1f}",
        errors,
        f"{ledger.sent_again}, {ledger.replayed}",
        len(ledger.writes),
        seen.lost,
        f"{seen.whole_after:.0f}",
    )
    return f"| {' | '.join(map(str, cells))} |"
