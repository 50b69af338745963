"""Bars: what the service promises about its speed, each judged as a pass or a miss."""

from dataclasses import dataclass
from functools import partial

from benchmarks.figures import Figures
from benchmarks.rounds import PROCESS, Key
from benchmarks.workloads import main_size

RATE, P99, CPU = "requests_per_second", "p99_ms", "cpu_ms_per_request"


@dataclass(frozen=True)
class Bar:
    """`figure` of `of`, divided by that of `to` if there is one, against the limit."""

    title: str
    figure: str
    of: Key
    to: Key | None
    limit: float
    at_least: bool = False

    def measured(self, figures: Figures) -> float | None:
        if self.to is None:
            return figures.median(self.figure, self.of)
        ratio = figures.ratio(self.figure, self.of, self.to)
        return ratio.median if ratio else None

    def passed(self, figures: Figures) -> bool | None:
        """None if this run did not measure it."""
        measured = self.measured(figures)
        if measured is None:
            return None
        return measured >= self.limit if self.at_least else measured <= self.limit


def bars(judged: str, sizes: list[int]) -> list[Bar]:
    """The promises of `judged`: a ratio's other side is the textbook where the title names nobody else."""
    size, smallest, largest = main_size(sizes), 10_000, 1_000_000
    ours, textbook, bare = partial(Key, judged), partial(Key, "textbook"), partial(Key, "bare")

    def against_textbook(title: str, figure: str, workload: str, limit: float, at: int = size) -> Bar:
        return Bar(title, figure, ours(workload, at), textbook(workload, at), limit, at_least=figure == RATE)

    def alone(title: str, figure: str, workload: str, limit: float) -> Bar:
        return Bar(title, figure, ours(workload, size), None, limit)

    def against_bare(title: str, workload: str, limit: float) -> Bar:
        return Bar(title, RATE, ours(workload, size), bare(workload, size), limit, at_least=True)

    # Requests a second of the easier case over those of the harder one: how much slower the harder one is.
    one, million = ours("page_1", smallest), ours("page_1", largest)
    first, deep = ours("first_cursor", largest), ours("deep_cursor", largest)
    return [
        against_textbook("GET by id: requests/s", RATE, "get_by_id", 8),
        against_bare("GET by id: requests/s, bare = 1", "get_by_id", 0.75),
        against_textbook("GET by id: CPU per request", CPU, "get_by_id", 0.14),
        against_textbook("GET by id: p99", P99, "get_by_id", 0.25),
        against_textbook("page 1 of 20: requests/s", RATE, "page_1", 10),
        Bar("page 1 of 20: slower at 1M than at 10k", RATE, one, million, 1.3),
        against_textbook("page of 100: CPU per request", CPU, "page_of_100", 0.13),
        against_textbook("page 40,000 of 50,000 at 1M: requests/s", RATE, "deep_page", 4, largest),
        Bar("cursor page at 4/5 of 1M: slower than the first", RATE, first, deep, 1.3),
        against_textbook("create: requests/s", RATE, "create", 1.2),
        against_textbook("GET while 4 clients create: p99", P99, "get_while_creating", 0.2),
        against_textbook("90 reads, 10 creates: p99", P99, "mixed", 1),
        against_textbook("90 reads, 10 creates, paced: p99", P99, "mixed_paced", 1),
        alone("RSS of a worker, MB", "worker_rss_mb", PROCESS, 100),
        alone("RSS of parent and worker, MiB", "rss_mib", PROCESS, 190),
        against_textbook("start to first 200", "start_ms", PROCESS, 1.5),
        alone("live while 8 sign up: p99, ms", P99, "live_while_signing_up", 50),
        alone("GET by id while 8 sign up: p99, ms", P99, "get_while_signing_up", 100),
        against_textbook("bulk of 1,000: requests/s", RATE, "bulk", 6),
        against_bare("bulk of 1,000: requests/s, bare = 1", "bulk", 0.6),
    ]
