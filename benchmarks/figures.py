"""Figures: medians over the rounds, and medians of the ratios within a round."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

from benchmarks.rounds import Key, Sample


class Ratio(NamedTuple):
    """The median of the rounds' ratios, and the lowest and the highest of them."""

    median: float
    low: float
    high: float


class Figures:
    """All samples of a run, to be asked for."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._rounds: dict[tuple[Key, str], dict[int, float]] = defaultdict(dict)
        for sample in samples:
            for figure, value in sample.figures.items():
                self._rounds[sample.key, figure][sample.round] = value

    @property
    def keys(self) -> list[Key]:
        """What was measured, each once, in the order of measuring."""
        return list(dict.fromkeys(key for key, _ in self._rounds))

    def median(self, figure: str, key: Key) -> float | None:
        rounds = self._rounds.get((key, figure))
        return median(rounds.values()) if rounds else None

    def ratio(self, figure: str, of: Key, to: Key) -> Ratio | None:
        """`of` divided by `to`: always of one round, minutes apart."""
        one, other = self._rounds.get((of, figure), {}), self._rounds.get((to, figure), {})
        ratios = [one[round_] / other[round_] for round_ in one if other.get(round_)]
        return Ratio(median(ratios), min(ratios), max(ratios)) if ratios else None
