"""Metrics: what was asked and what is held, of all workers, as Prometheus text."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from app.database_url import DatabaseUrl
from app.metrics import FOLDER, Metrics
from app.settings import Settings
from tests.clients import client_of

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

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("# HELP http_request_duration_seconds ")


async def test_buckets_add_up() -> None:
    metrics = Metrics(dict)
    for seconds in (0.0005, 0.003, 0.003, 99):
        metrics.observe("GET", "/users/{user_id:str}", 200, seconds)

    text = metrics.text().decode()

    labels = 'method="GET",route="/users/{user_id}",status="200"'
    buckets = dict(re.findall(r'_bucket\{le="(.*?)",' + re.escape(labels) + r"\} (\S+)", text))
    assert {bound: buckets[bound] for bound in ("0.001", "0.0025", "0.005", "30.0", "+Inf")} == {
        "0.001": "1.0",
        "0.0025": "1.0",
        "0.005": "3.0",
        "30.0": "3.0",
        "+Inf": "4.0",
    }
    assert f"_sum{{{labels}}} 99.0065" in text


async def test_the_pool_and_the_hashes_under_way_are_shown(database: DatabaseUrl) -> None:
    app = create_app(
        Settings(database_url=database, db_pool_size=2, db_max_overflow=3, log_format="json", log_level="warning")
    )
    body = {"name": "Ada", "email": "ada-metrics@example.com", "password": "correct horse"}

    async with app.lifespan(), client_of(app) as client:
        hashing = asyncio.create_task(client.post("/users", json=body))
        await client.get("/users")
        samples = {name: value for (name, labels), value in (await scrape(client)).items() if not labels}
        await hashing

    assert samples.pop("password_hashes_limit") > 1
    assert samples == {
        "db_pool_size": 2,
        "db_pool_limit": 5,
        "db_pool_in_use": 0,
        "db_pool_idle": 1,
        "db_pool_overflow": 0,
        "password_hashes_under_way": 1,
        "workers": 1,
    }


async def test_any_worker_tells_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    ours, theirs = Metrics(lambda: {"db_pool_in_use": 2}), Metrics(lambda: {"db_pool_in_use": 3})
    ours.observe("GET", "/users", 200, 0.5)
    theirs.observe("GET", "/users", 200, 0.5)
    theirs._write(tmp_path / "1", theirs._figures())

    together = parse(ours.text().decode())

    assert count(together, "GET", "/users", 200) == 2
    assert together["db_pool_in_use", frozenset()] == 5
    assert together["workers", frozenset()] == 2
