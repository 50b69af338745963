"""Metrics: what the workers have done and hold, as Prometheus text.

A scrape reaches one worker. Each leaves its figures in a folder that all workers of one `litestar run` share, so
whichever is asked adds up all of them: counts of workers that have ended too, connections of those that live.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from litestar import Litestar, Response, get
from litestar.di import NamedDependency
from msgspec import Struct, field
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.openapi import problems
from app.passwords import Passwords
from app.pool import Pool

FOLDER = "METRICS_FOLDER"
"""The environment variable that names the shared folder; without it a worker knows itself only."""
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"})
_KINDS = re.compile(r":\w+}")
_EVERY = 1.0

Gauges = dict[str, float]


class Figures(Struct):
    """One worker's."""

    requests: dict[str, list[float]] = field(default_factory=dict)
    """By method, route and status, a blank between: how many in each bucket, then the seconds of all."""
    gauges: Gauges = field(default_factory=dict)


class Metrics(Collector):
    """Counts requests, at less than a microsecond each, and shows them together with `gauges`."""

    def __init__(self, gauges: Callable[[], Gauges]) -> None:
        self._gauges = gauges
        self._requests: dict[tuple[str, str | None, int], list[float]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count one request."""
        key = (method, route, status)
        buckets = self._requests.get(key)
        if buckets is None:
            if method not in _METHODS:
                self.observe("other", route, status, seconds)
                return
            buckets = self._requests[key] = [0] * (len(_BOUNDS) + 2)
        buckets[bisect_left(_BOUNDS, seconds)] += 1
        buckets[-1] += seconds

    def text(self) -> bytes:
        """Prometheus' text of all workers."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """All workers' figures, added up."""
        everybody = [self._figures(), *self._others()]
        duration = HistogramMetricFamily(
            "http_request_duration_seconds",
            "From the arrival of a request to the start of its answer",
            labels=("method", "route", "status"),
        )
        for name, buckets in sorted(_sum(figures.requests for figures in everybody).items()):
            counts = [sum(buckets[: place + 1]) for place in range(len(_BOUNDS) + 1)]
            bounds = [*map(str, _BOUNDS), "+Inf"]
            duration.add_metric(name.split(" "), list(zip(bounds, counts, strict=True)), buckets[-1])
        yield duration
        totals = _sum({name: [value] for name, value in figures.gauges.items()} for figures in everybody)
        for name, (total,) in totals.items():
            yield GaugeMetricFamily(name, _GAUGES[name], total)
        yield GaugeMetricFamily("workers", "Processes that serve", sum(bool(figures.gauges) for figures in everybody))

    @asynccontextmanager
    async def share(self, _app: Litestar) -> AsyncIterator[None]:
        """Leave this worker's figures for the others, every second while it lives."""
        folder = os.environ.get(FOLDER)
        if not folder:
            yield
            return
        mine = Path(folder) / str(os.getpid())
        task = asyncio.create_task(self._keep_writing(mine))
        yield
        task.cancel()
        self._write(mine, msgspec.structs.replace(self._figures(), gauges={}))

    async def _keep_writing(self, mine: Path) -> None:
        while True:
            self._write(mine, self._figures())
            await asyncio.sleep(_EVERY)

    def _write(self, mine: Path, figures: Figures) -> None:
        unfinished = mine.with_suffix(".new")
        with suppress(OSError):
            unfinished.write_bytes(msgspec.json.encode(figures))
            unfinished.replace(mine)

    def _figures(self) -> Figures:
        requests = {
            f"{method} {_KINDS.sub('}', route or '')} {status}": buckets
            for (method, route, status), buckets in self._requests.items()
        }
        return Figures(requests, self._gauges())

    def _others(self) -> Iterable[Figures]:
        folder = os.environ.get(FOLDER)
        for path in Path(folder).glob("[0-9]*") if folder else ():
            if path.suffix or path.name == str(os.getpid()):
                continue
            with suppress(OSError, msgspec.DecodeError):
                figures = msgspec.json.decode(path.read_bytes(), type=Figures)
                # A worker that was killed left its last gauges behind.
                lives = time.time() - path.stat().st_mtime < 5 * _EVERY
                yield figures if lives else msgspec.structs.replace(figures, gauges={})


@contextmanager
def shared_folder() -> Iterator[None]:
    """Give the workers that are started meanwhile a folder to share."""
    with TemporaryDirectory(prefix="litestar-users-") as folder:
        os.environ[FOLDER] = folder
        yield


def read_gauges(pool: Pool, kept: int, passwords: Passwords) -> Gauges:
    """What this worker holds; `kept` is the pool's size without overflow."""
    in_use, idle = pool.checkedout(), pool.checkedin()
    return {
        "db_pool_size": kept,
        "db_pool_limit": pool.size(),
        "db_pool_in_use": in_use,
        "db_pool_idle": idle,
        "db_pool_overflow": max(0, in_use + idle - kept),
        "password_hashes_under_way": passwords.under_way,
        "password_hashes_limit": passwords.limit,
    }


def _sum(parts: Iterable[dict[str, list[float]]]) -> dict[str, list[float]]:
    total: dict[str, list[float]] = {}
    for part in parts:
        for name, values in part.items():
            total[name] = [a + b for a, b in zip(total[name], values, strict=True)] if name in total else values
    return total


_GAUGES = {
    "db_pool_size": "Connections that are kept open, DB_POOL_SIZE of each worker",
    "db_pool_limit": "Connections that may be open, with DB_MAX_OVERFLOW of each worker",
    "db_pool_in_use": "Connections that serve a request",
    "db_pool_idle": "Connections that are open and free",
    "db_pool_overflow": "Open connections beyond db_pool_size",
    "password_hashes_under_way": "Passwords that are being hashed or wait for it",
    "password_hashes_limit": "Passwords that may be under way before more are turned away",
}


@get("/metrics", responses=problems(), tags=["Operations"], media_type="text/plain")
async def show_metrics(metrics: NamedDependency[Metrics]) -> Response[bytes]:
    """Figures for Prometheus, of all workers."""
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
