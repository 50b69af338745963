"""Deployment: what compose.yaml and the Dockerfile promise can be read off them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import yaml

from app.database.engine import ROOT
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

    assert settings.access == "open"


def test_the_database_is_reached_through_its_socket_alone(services: dict[str, Any]) -> None:
    settings = load_settings({key: str(value) for key, value in services["app"]["environment"].items()})
    database = services["database"]

    assert settings.database_url is not None
    assert settings.database_url.url.query == {"host": "/var/run/postgresql"}
    assert set(database["volumes"]) & set(services["app"]["volumes"]) == {"socket:/var/run/postgresql"}
    assert "listen_addresses=" in database["command"]
    assert "ports" not in database


def test_the_service_has_a_role_of_its_own_that_is_no_superuser(services: dict[str, Any]) -> None:
    settings = load_settings({key: str(value) for key, value in services["app"]["environment"].items()})
    script = (ROOT / "database.sh").read_text()

    assert settings.database_url is not None
    role, database = settings.database_url.url.username, settings.database_url.url.database
    assert f"CREATE ROLE {role} LOGIN'" in script
    assert f"CREATE DATABASE {database} OWNER {role}'" in script
    assert re.findall("^(?:local|host).*", script, re.MULTILINE) == [
        f"local {database} {role} trust",
        "local all postgres peer",
    ]
    assert "./database.sh:/docker-entrypoint-initdb.d/database.sh:ro" in services["database"]["volumes"]


def test_a_service_writes_nowhere_but_in_memory(services: dict[str, Any]) -> None:
    assert services["app"]["read_only"] is services["migration"]["read_only"] is True
    assert "TMPDIR=/dev/shm" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("status", [200, 503, None])
@pytest.mark.parametrize("whose", ["image", "compose"])
def test_a_health_check_asks_the_port_that_is_set(services: dict[str, Any], whose: str, status: int | None) -> None:
    in_image = re.search(r"HEALTHCHECK.*?CMD (\[.*?\])\n", (ROOT / "Dockerfile").read_text(), re.DOTALL)
    assert in_image
    command = {
        "image": json.loads(in_image[1].replace("\\\n", "")),
        "compose": services["app"]["healthcheck"]["test"][1:],
    }[whose]

    with answering(status) as port:
        done = subprocess.run([sys.executable, *command[1:]], env={"LITESTAR_PORT": str(port)}, check=False)

    assert (done.returncode == 0) is (status == 200)


def test_an_end_has_time_for_draining_and_for_what_is_in_flight(services: dict[str, Any]) -> None:
    drain = services["app"]["environment"]["DRAIN_SECONDS"]

    assert int(services["app"]["stop_grace_period"].removesuffix("s")) > drain + 15


def test_the_image_runs_without_root_and_gets_its_signals() -> None:
    final = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1]

    # By number: an orchestrator that forbids root cannot know who a name is.
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["tini", "-s", "--"\]$', final, re.MULTILINE)
    assert re.search(r'^CMD \["python", "-m", "app"\]$', final, re.MULTILINE)


def test_the_image_holds_what_it_runs_and_nothing_else() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    taken = re.findall(r"^COPY (?!--from)(\S+) \S+$", dockerfile, re.MULTILINE)
    kept = re.findall(r"^COPY --from=build /srv/(\S+) \S+$", dockerfile, re.MULTILINE)
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert sorted(taken) == sorted(allowed) == ["alembic", "app", "pyproject.toml"]
    # The packages in a layer of their own, and what changes most often last.
    assert (kept[0], sorted(kept[1:]), kept[-1]) == (".venv", sorted(taken), "app")


def test_every_package_of_the_image_has_one_version() -> None:
    assert re.search(
        r"^RUN pip install --no-cache-dir uv==\d+\.\d+\.\d+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    assert all("==" in pin for pin in pins)


@contextmanager
def answering(status: int | None) -> Iterator[int]:
    """The port of a server that answers everything with `status`, and of none if that is None."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 0)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if status is None:
            server.server_close()
        else:
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_port
        if status is not None:
            server.shutdown()
