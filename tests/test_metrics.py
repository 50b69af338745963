"""Metrics: what was asked and what is held, of all workers, as Prometheus text."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import cast
from urllib.request import urlopen

import httpx
import pytest
from advanced_alchemy.extensions.litestar import SQLAlchemyPlugin
from argon2 import PasswordHasher
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.ext.asyncio import AsyncEngine

from app import create_app
from app.operations.metrics import Metrics
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.services import Service, eventually

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(client: httpx.AsyncClient) -> Samples:
    return parse((await client.get("/metrics")).text)


def parse(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def count(samples: Samples, method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return samples.get(("http_request_duration_seconds_count", frozenset(labels.items())), 0)


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("GET", "/users/7", ("GET", "/users/{user_id}", 404)),
        ("HEAD", "/users", ("HEAD", "/users", 200)),
        ("GET", "/users/", ("GET", "/users", 200)),
        ("GET", "/users?page=0", ("GET", "/users", 422)),
        ("GET", "/nowhere/at/all", ("GET", "", 404)),
        ("BREW", "/users", ("other", "", 405)),
        ("GET", "/metrics", ("GET", "/metrics", 200)),
    ],
)
async def test_each_answer_is_counted_by_method_route_and_status(
    client: httpx.AsyncClient, method: str, path: str, counted: tuple[str, str, int]
) -> None:
    before = await scrape(client)

    await client.request(method, path)
    after = await scrape(client)

    own = 1 if path == "/metrics" else 0
    assert count(after, *counted) - count(before, *counted) == 1 + own


async def test_whoever_may_not_call_is_counted_too(app: Litestar, client: httpx.AsyncClient) -> None:
    before = await scrape(client)

    async with client_of(app, address="10.0.0.7") as elsewhere:
        await elsewhere.get("/users")

    assert count(await scrape(client), "GET", "", 403) - count(before, "GET", "", 403) == 1


async def test_the_text_is_prometheus_own(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")

    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "# HELP http_request_duration_seconds From the arrival " in answer.text
    assert "# TYPE http_request_duration_seconds histogram\n" in answer.text
    assert "# TYPE db_pool_in_use gauge\ndb_pool_in_use " in answer.text


async def test_reads_are_counted_and_how_many_statements_they_took(client: httpx.AsyncClient) -> None:
    before = await scrape(client)

    await asyncio.gather(*(client.get("/users/7") for _ in range(20)), *(client.get("/users") for _ in range(20)))
    after = await scrape(client)

    def grew(name: str) -> float:
        return after[name, frozenset()] - before[name, frozenset()]

    assert grew("db_reads_total") == 40
    assert 2 <= grew("db_read_statements_total") <= 20


async def test_buckets_add_up() -> None:
    metrics = Metrics(dict, dict)
    for seconds in (0.0005, 0.003, 0.003, 99):
        metrics.observe("GET", "/buckets/{user_id:str}", 200, seconds)

    text = metrics.text().decode()

    labels = 'method="GET",route="/buckets/{user_id}",status="200"'
    buckets = dict(re.findall(r'_bucket\{le="(.*?)",' + re.escape(labels) + r"\} (\S+)", text))
    assert {bound: buckets[bound] for bound in ("0.001", "0.0025", "0.005", "30.0", "+Inf")} == {
        "0.001": "1.0",
        "0.0025": "1.0",
        "0.005": "3.0",
        "30.0": "3.0",
        "+Inf": "4.0",
    }
    assert f"_sum{{{labels}}} 99.0065" in text


async def test_the_pool_and_the_hashes_under_way_are_shown(
    database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, hash_it = Event(), PasswordHasher.hash

    def held(self: PasswordHasher, password: str | bytes) -> str:
        counted.wait(20)
        return hash_it(self, password)

    monkeypatch.setattr(PasswordHasher, "hash", held)
    app = create_app(
        Settings(database_url=database, db_pool_size=2, db_max_overflow=3, log_format="json", log_level="warning")
    )
    body = {"name": "Ada", "email": "ada-metrics@example.com", "password": "correct horse"}

    async with app.lifespan(), client_of(app) as client:
        hashing = asyncio.create_task(client.post("/users", json=body))
        await client.get("/users")
        samples = {name: value for (name, labels), value in (await scrape(client)).items() if not labels}
        counted.set()
        await hashing

    assert samples.pop("password_hashes_limit") > 1
    assert samples == {
        "db_reads_total": 1,
        "db_read_statements_total": 1,
        "db_pool_size": 2,
        "db_pool_limit": 5,
        "db_pool_in_use": 0,
        "db_pool_idle": 1,
        "db_pool_waiting": 0,
        "db_pool_overflow": 0,
        "password_hashes_under_way": 1,
        "workers": 1,
        "workers_started_total": 1,
    }


async def test_who_waits_for_a_connection_is_counted(database: DatabaseUrl) -> None:
    app = create_app(Settings(database_url=database, db_pool_size=1, db_max_overflow=0, log_level="warning"))

    async with app.lifespan(), client_of(app) as client:
        engine = cast("AsyncEngine", app.plugins.get(SQLAlchemyPlugin).config[0].get_engine())
        async with engine.connect():
            reading = asyncio.create_task(client.get("/users"))
            async with asyncio.timeout(10):
                while not (await scrape(client))["db_pool_waiting", frozenset()]:
                    await asyncio.sleep(0)  # A scrape without I/O lets nobody else have their turn.
        await reading

        assert (await scrape(client))["db_pool_waiting", frozenset()] == 0


def test_a_worker_that_is_killed_keeps_its_counts_and_loses_its_gauges() -> None:
    with TemporaryDirectory(prefix="metrics-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        service = Service(Path(folder) / ".postgres", "--workers=2", "--respawn-interval=0.1")
        try:
            parent = service.wait_until_ready().process
            # A worker is a fork of the command.
            worker = next(child for child in parent.children() if child.cmdline() == parent.cmdline())
            before = ask_and_scrape(service)
            worker.kill()
            eventually(lambda: not worker.is_running())
            after = ask_and_scrape(service)
            eventually(lambda: service.log.read_text().count("Started worker") == 3)
            later = ask_and_scrape(service)
        finally:
            service.kill()

    seen = [count(samples, "GET", "/health/live", 200) for samples in (before, after, later)]
    held = [
        (samples["workers", frozenset()], samples["db_pool_size", frozenset()]) for samples in (before, after, later)
    ]
    started = [samples["workers_started_total", frozenset()] for samples in (before, later)]
    assert (seen, held[0], held[2], started) == ([40, 80, 120], (2, 10), (2, 10), [2, 3])
    # Granian may have another by then, which may tell of itself already.
    assert held[1] in ((1, 5), (2, 10))


def ask_and_scrape(service: Service) -> Samples:
    """Ask each worker some of 40 times, on connections of their own."""
    assert {service.status("/health/live") for _ in range(40)} == {200}
    with urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=5) as answer:
        return parse(answer.read().decode())
