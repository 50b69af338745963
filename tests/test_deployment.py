"""Deployment: what compose.yaml and the Dockerfile promise can be read off them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from app.database import ROOT
from app.settings import load_settings


@pytest.fixture
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return services


def test_every_port_is_bound_to_this_machine(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_service_waits_for_the_migration_and_that_for_the_database(services: dict[str, Any]) -> None:
    assert services["app"]["depends_on"]["migration"] == {"condition": "service_completed_successfully"}
    assert services["migration"]["depends_on"]["database"] == {"condition": "service_healthy"}
    assert services["migration"]["command"] == ["litestar", "database", "upgrade", "--no-prompt"]
    assert services["app"]["healthcheck"]
    assert services["database"]["healthcheck"]


@pytest.mark.parametrize("name", ["app", "migration"])
def test_the_environment_of_a_service_is_one_that_it_takes(services: dict[str, Any], name: str) -> None:
    settings = load_settings({key: str(value) for key, value in services[name]["environment"].items()})

    assert settings.database_url is not None
    assert (settings.database_url.url.host, settings.database_url.url.database, settings.access) == (
        "database",
        "super",
        "open",
    )
    assert services["database"]["environment"]["POSTGRES_USER"] == settings.database_url.url.username


def test_an_end_has_time_for_draining_and_for_what_is_in_flight(services: dict[str, Any]) -> None:
    drain = services["app"]["environment"]["DRAIN_SECONDS"]

    assert int(services["app"]["stop_grace_period"].removesuffix("s")) > drain + 15


def test_the_image_runs_without_root_and_gets_its_signals() -> None:
    final = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1]

    assert re.search(r"^USER (?!root|0)", final, re.MULTILINE)
    assert re.search(r'^CMD \["litestar", "run"\]$', final, re.MULTILINE)
    assert "HEALTHCHECK" in final


def test_the_image_holds_what_it_runs_and_nothing_else() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert sorted(" ".join(copied).split()) == sorted(allowed)
