"""Metrics: what the workers have done and hold, as Prometheus text.

Each worker counts in files of prometheus_client's multiprocess mode, in a folder that all workers of one
`litestar run` share. So whichever is asked tells of all: counts of those that were killed, gauges of those that live.
"""

from __future__ import annotations

import asyncio
import os
import re
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from shutil import rmtree
from typing import Any

from litestar import Litestar, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from app.http.dependencies import AnyRequest
from app.http.openapi import problems
from app.operations.figures import Figures
from app.operations.shared import hold, new_folder, shared

_DURATION = "http_request_duration_seconds"
_OF_DURATION = "From the arrival of a request to the start of its answer"
_OF_STARTED = "Processes that began to serve, those included that have ended"
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"})
PARAMETER_TYPE = re.compile(r":\w+}")
_WRITE_INTERVAL = 1.0

Series = tuple[Any, list[int]]
"""All numbers of a file, and the places of this one's: a count for each bucket, then the seconds of all."""


class Metrics:
    """Counts requests, at less than a microsecond each, and shows them together with `gauges` and `counters`."""

    def __init__(self, gauges: Callable[[], Figures], counters: Callable[[], Figures]) -> None:
        self._gauges = gauges
        self._counters = counters
        self._series: dict[tuple[str, str | None, int], Series] = {}

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count one request. What was counted stays, even if this process is killed."""
        series = self._series.get((method, route, status))
        if series is None:
            if method not in METHODS:
                self.observe("other", route, status, seconds)
                return
            series = self._series[method, route, status] = self._begin(method, route, status)
        numbers, places = series
        numbers[places[bisect_left(_BOUNDS, seconds)]] += 1
        numbers[places[-1]] += seconds

    def text(self) -> bytes:
        """Prometheus' text of all workers."""
        self._write_figures()
        for stale in _folder().glob("gauge_live*"):
            try:
                os.kill(int(re.findall(r"\d+", stale.name)[0]), 0)
            except (ProcessLookupError, PermissionError):  # Its number may be somebody else's by now.
                stale.unlink(missing_ok=True)
        return generate_latest(MultiProcessCollector(None, str(_folder())))  # type: ignore[no-untyped-call]

    @asynccontextmanager
    async def lifespan(self, _app: Litestar) -> AsyncIterator[None]:
        """Tell the other workers what this one holds, every second while it lives."""

        async def keep_writing() -> None:
            while True:
                self._write_figures()
                await asyncio.sleep(_WRITE_INTERVAL)

        task = asyncio.create_task(keep_writing())
        yield
        task.cancel()

    def _begin(self, method: str, route: str | None, status: int) -> Series:
        labels = {"method": method, "route": PARAMETER_TYPE.sub("}", route or ""), "status": str(status)}
        buckets = [{**labels, "le": str(bound)} for bound in (*_BOUNDS, "+Inf")]
        series = [*((f"{_DURATION}_bucket", bucket) for bucket in buckets), (f"{_DURATION}_sum", labels)]
        keys = [mmap_key(_DURATION, name, [*of], [*of.values()], _OF_DURATION) for name, of in series]
        file = _file("histogram")
        for key in keys:
            file.read_value(key)
        # Not by the library's own way to write, whose locks and look-ups are a fifth of the smallest request.
        return memoryview(file._m).cast("d"), [file._positions[key] // 8 for key in keys]

    def _write_figures(self) -> None:
        for name, (value, documentation) in {**self._gauges(), "workers": (1, "Processes that serve")}.items():
            _file("gauge_livesum").write_value(mmap_key(name, name, [], [], documentation), value, 0)
        for name, (value, documentation) in {**self._counters(), "workers_started": (1, _OF_STARTED)}.items():
            _file("counter").write_value(mmap_key(name, f"{name}_total", [], [], documentation), value, 0)


@cache
def _folder() -> Path:
    if folder := shared():
        hold(folder)  # A worker that was not forked.
        return folder
    own = new_folder()
    # As a worker's process may be one of multiprocessing's, which end without atexit.
    Finalize(None, rmtree, (own, True), exitpriority=0)
    return own


@cache
def _file(kind: str) -> Any:
    # Metrics that are made with the library itself have files of their own, without `-service`.
    file: Any = MmapedDict(f"{_folder()}/{kind}_{os.getpid()}-service.db")  # type: ignore[no-untyped-call]
    Finalize(None, file._f.close, exitpriority=1)
    return file


@get("/metrics", who="administrator", responses=problems(), tags=["Operations"], media_type="text/plain")
async def show_metrics(request: AnyRequest, metrics: NamedDependency[Metrics]) -> Response[bytes]:
    """Figures for Prometheus.

    Requests by route and status, and what the pool and the hashing hold, of all workers together.
    """
    if request.scope["raw_path"].endswith(b"/"):
        # A gateway that keeps strangers from `/metrics` may not know that this would be the same.
        raise NotFoundException
    # Litestar adds the character set.
    media_type = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")
    return Response(metrics.text(), media_type=media_type, headers={"Cache-Control": "no-store"})
