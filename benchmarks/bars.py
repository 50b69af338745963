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
    size, largest = main_size(sizes), 1_000_000
    ours = partial(Key, judged)

    def against(other: str, title: str, figure: str, workload: str, limit: float, at: int = size) -> Bar:
        named = title if other == "textbook" else f"{title}, {other} = 1"
        return Bar(named, figure, ours(workload, at), Key(other, workload, at), limit, at_least=figure == RATE)

    def alone(title: str, figure: str, workload: str, limit: float) -> Bar:
        return Bar(title, figure, ours(workload, size), None, limit)

    textbook, bare = partial(against, "textbook"), partial(against, "bare")
    # Requests a second of the easier case over those of the harder one: how much slower the harder one is.
    some, million = ours("page_1", size), ours("page_1", largest)
    first, deep = ours("first_cursor", largest), ours("deep_cursor", largest)
    return [
        textbook("GET by id: requests/s", RATE, "get_by_id", 15),
        bare("GET by id: requests/s", RATE, "get_by_id", 1.6),
        against("fastify", "GET by id: requests/s", RATE, "get_by_id", 1),
        alone("GET by id: CPU with PostgreSQL's, ms", "all_cpu_ms_per_request", "get_by_id", 0.110),
        bare("GET by id: p99", P99, "get_by_id", 1),
        bare("GET by id, 8 clients: requests/s", RATE, "get_by_id_8", 1),
        bare("GET by id, 1 client: requests/s", RATE, "get_by_id_1", 0.9),
        alone("GET by id after a rest: p99, ms", P99, "after_rest", 15),
        bare("page 1 of 20: requests/s", RATE, "page_1", 20),
        textbook("pages at random: requests/s", RATE, "random_page", 14),
        bare("cursor pages at random: requests/s", RATE, "random_cursor", 1.4),
        Bar("page 1 of 20: slower at 1M than at 100k", RATE, some, million, 1.3),
        textbook("page of 100: CPU per request", CPU, "page_of_100", 0.09),
        textbook("page 40,000 of 50,000 at 1M: requests/s", RATE, "deep_page", 4, largest),
        Bar("cursor page at 4/5 of 1M: slower than the first", RATE, first, deep, 1.3),
        textbook("create: requests/s", RATE, "create", 1.2),
        bare("create: requests/s", RATE, "create", 0.95),
        textbook("GET while 4 clients create: p99", P99, "get_while_creating", 0.2),
        textbook("90 reads, 10 creates, at equal demand: p99", P99, "mixed_paced", 1),
        alone("RSS of parent and worker after reads, MiB", "rss_mib", PROCESS, 190),
        textbook("start to first 200", "start_ms", PROCESS, 1.5),
        alone("live while 8 sign up: p99, ms", P99, "live_while_signing_up", 50),
        alone("GET by id while 8 sign up: p99, ms", P99, "get_while_signing_up", 100),
        textbook("bulk of 1,000: requests/s", RATE, "bulk", 6),
        bare("bulk of 1,000: requests/s", RATE, "bulk", 0.6),
    ]
