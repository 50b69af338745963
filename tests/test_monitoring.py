"""Monitoring: alerts and the dashboard name figures that the service has, and what to do is written down."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from operator import eq, ne
from typing import Any

import httpx
import msgspec
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from app.database.engine import ROOT
from app.operations.health import Readiness
from app.settings import Settings
from app.settings.database_url import DatabaseUrl, parse_database_url
from tests.clients import client_of

MONITORING = ROOT / "monitoring"
SELECTOR = re.compile(r"\b([a-z_]+)\b(?!\s*\()(?:\{([^}]*)\})?")
NOT_NAMES = {"or", "and", "unless", "offset"}
OF_PROMETHEUS = {"up", "job", "instance"}
MATCHES: dict[str, Callable[[str, str], Any]] = {
    "=": eq,
    "!=": ne,
    "=~": lambda value, pattern: re.fullmatch(pattern, value),
    "!~": lambda value, pattern: not re.fullmatch(pattern, value),
}


@pytest.fixture
def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.fixture
def panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return panels


async def test_every_series_that_is_named_is_there(
    client: httpx.AsyncClient,
    database: DatabaseUrl,
    alerts: list[dict[str, Any]],
    panels: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expressions = [alert["expr"] for alert in alerts] + [one["expr"] for panel in panels for one in panel["targets"]]
    named = {selector for expression in expressions for selector in selectors(expression)}
    await load_and_break(database, monkeypatch)

    await client.get("/users")
    await client.get("/metrics")
    families = [*text_string_to_metric_families((await client.get("/metrics")).text)]

    assert len(named) > 20
    assert not [f"{name}{{{labels}}}" for name, labels in named if not is_there(families, name, labels)]


async def test_what_to_do_is_written_down_for_every_alert(alerts: list[dict[str, Any]]) -> None:
    failure = (ROOT / "docs" / "failure.md").read_text()
    anchors = {title.lower() for title in re.findall(r"^### (\w+)$", failure, re.MULTILINE)}

    told = [alert["annotations"]["runbook"].partition("docs/failure.md#") for alert in alerts]

    assert sorted(anchor for _, _, anchor in told) == sorted(anchors)
    assert {alert["labels"]["severity"] for alert in alerts} == {"page", "ticket"}


async def test_every_alert_is_shown_to_fire_and_not_to(alerts: list[dict[str, Any]]) -> None:
    shown = yaml.safe_load((MONITORING / "alerts_test.yaml").read_text())["tests"]
    claims = {(claim["alertname"], "exp_alerts" in claim) for one in shown for claim in one["alert_rule_test"]}

    assert claims == {(alert["alert"], fires) for alert in alerts for fires in (True, False)}


async def load_and_break(database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the process count what it only has in bad times: attempts too many, no database, a defect."""
    nowhere = parse_database_url("postgresql://nobody@127.0.0.1:1/nothing")
    settings = Settings(database_url=database, access="token", log_format="json", log_level="error")
    guess = {"email": "nobody@example.com", "password": "battery staple"}
    guesser = create_app(settings)
    async with guesser.lifespan(), client_of(guesser, address="203.0.113.99") as client:
        statuses = [(await client.post("/sessions", json=guess)).status_code for _ in range(6)]
    broken = create_app(msgspec.structs.replace(settings, database_url=nowhere, access="local"))
    async with broken.lifespan(), client_of(broken) as client:
        statuses += [(await client.get(path)).status_code for path in ("/users", "/health/ready")]
        monkeypatch.delattr(Readiness, "check")
        statuses.append((await client.get("/health/ready")).status_code)
    monkeypatch.undo()
    assert statuses[-4:] == [429, 503, 503, 500]


def selectors(expression: str) -> list[tuple[str, str]]:
    """The names of series in PromQL, and what is asked of their labels."""
    series_only = re.sub(r"\b(?:by|on) \(.*?\)|\[(?:\d+[smh]|\$__).*?\]", "", expression)
    return [(name, labels) for name, labels in SELECTOR.findall(series_only) if name not in NOT_NAMES | OF_PROMETHEUS]


def is_there(families: list[Metric], name: str, labels: str) -> bool:
    asked = [one for one in re.findall(r'(\w+)(=~|!~|!=|=)"(.*?)"', labels) if one[0] not in OF_PROMETHEUS]
    return any(
        sample.name == name and all(MATCHES[how](sample.labels[label], value) for label, how, value in asked)
        for family in families
        for sample in family.samples
    )
