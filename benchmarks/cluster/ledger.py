"""Ledger: what clients were told, and what of it is true afterwards."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple


class Created(NamedTuple):
    """What a client was told that it has created, and has changed since."""

    path: str
    email: str
    number: int


@dataclass
class Ledger:
    """What happened in one scenario. Times are those of the monotonic clock."""

    began: float = field(default_factory=time.monotonic)
    writes: list[float] = field(default_factory=list)
    """When each was acknowledged."""
    reads: list[float] = field(default_factory=list)
    primaries: list[float] = field(default_factory=list)
    """When somebody who asked every host itself found one that takes writes."""
    errors: Counter[str] = field(default_factory=Counter)
    sent_again: int = 0
    replayed: int = 0
    slowest: float = 0
    acknowledged: dict[str, Created] = field(default_factory=dict)
    """By path, the latest."""

    def lost(self, stored: Iterable[tuple[str, str, int]]) -> int:
        """How many rows are not there, or older than what was acknowledged."""
        there = {path: (email, number) for path, email, number in stored}
        known = list(self.acknowledged.values())
        return sum(there.get(path, ("", 0))[0] != email or there[path][1] < number for path, email, number in known)


def longest_gap(times: Sequence[float], began: float, ended: float) -> float:
    """The longest time without an event."""
    points = [began, *(moment for moment in sorted(times) if began < moment < ended), ended]
    return max(after - before for before, after in pairwise(points))
