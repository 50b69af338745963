"""Production on compose: what compose.production.yaml promises can be read off it; .ci/compose.py runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.database.engine import ROOT
from app.settings import load_settings

FILES = ROOT / "deploy" / "compose"
PRODUCTION: dict[str, Any] = yaml.safe_load((ROOT / "compose.production.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = PRODUCTION["services"]
HAPROXY = (FILES / "haproxy.cfg").read_text()


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """What secrets.sh makes, in a copy."""
    (tmp_path / "deploy").mkdir()
    shutil.copytree(FILES, tmp_path / "deploy" / "compose")
    subprocess.run(["bash", "deploy/compose/secrets.sh"], cwd=tmp_path, check=True)
    return tmp_path / "secrets"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_limits_and_can_gain_no_rights(name: str) -> None:
    service = SERVICES[name]

    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_only_the_balancer_is_published_and_to_this_machine_unless_told_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"haproxy": ["${PUBLISH:-127.0.0.1:8000}:8000"]}


def test_a_database_is_on_no_network_that_reaches_outside() -> None:
    for name in ("primary", "standby", "pgbouncer"):
        assert SERVICES[name]["networks"] == ["back"]
    assert PRODUCTION["networks"]["back"] == {"internal": True}
    assert "back" not in SERVICES["haproxy"]["networks"]


def test_secrets_come_by_file_alone(secrets: Path) -> None:
    made = {path.name: path.read_text() for path in secrets.iterdir()}
    asked = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    words = (ROOT / "compose.production.yaml").read_text() + "".join(path.read_text() for path in FILES.iterdir())

    assert asked == set(PRODUCTION["secrets"]) == set(made)
    assert {secret["file"] for secret in PRODUCTION["secrets"].values()} == {f"./secrets/{name}" for name in made}
    assert not re.search(r"password[=:]\s*[\w']*\w", re.sub(r"password(=\$|_encryption)", "", words), re.IGNORECASE)
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_secrets_stay_where_they_are(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}

    subprocess.run(["bash", "deploy/compose/secrets.sh"], cwd=secrets.parent, check=True)

    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    assert len({before[f"{name}_password"] for name in ("postgres", "service", "replication")}) == 3


@pytest.mark.parametrize("name", ["one", "two", "migration"])
def test_the_environment_of_a_service_is_one_that_it_takes(secrets: Path, name: str) -> None:
    given = {key: str(value) for key, value in SERVICES[name]["environment"].items()}
    [secret] = SERVICES[name]["secrets"]
    assert given["DATABASE_URL_FILE"] == f"/run/secrets/{secret}"

    settings = load_settings(given | {"DATABASE_URL_FILE": str(secrets / secret)}, dotenv=Path("/nonexistent"))

    assert settings.database_url is not None
    assert settings.database_url.url.host == ("primary" if name == "migration" else "pgbouncer")
    assert settings.database_url.transaction_pooling is (name != "migration")
    if name != "migration":
        front = PRODUCTION["networks"]["front"]["ipam"]["config"][0]["subnet"]
        assert (settings.access, settings.trusted_proxies) == ("token", (ip_network(front),))


def test_the_migration_is_a_step_before_the_services() -> None:
    migration = SERVICES["migration"]

    assert (migration["command"], migration["restart"]) == (["litestar", "database", "upgrade", "--no-prompt"], "no")
    assert migration["depends_on"] == {"primary": {"condition": "service_healthy"}}
    for name in ("one", "two"):
        assert SERVICES[name]["depends_on"]["migration"] == {"condition": "service_completed_successfully"}


def test_connections_add_up() -> None:
    pooler = dict(re.findall(r"^(\w+) = (\d+)$", (FILES / "pgbouncer.ini").read_text(), re.MULTILINE))
    settings = load_settings({}, dotenv=Path("/nonexistent"))
    each = 2 * (settings.db_pool_size + settings.db_max_overflow)
    allowed = re.search(r"-cmax_connections=(\d+)", str(SERVICES["primary"]["command"]))

    assert allowed
    assert int(pooler["default_pool_size"]) + 10 < int(allowed[1])
    # Twice, while a new version takes over.
    assert 2 * 2 * each < int(pooler["max_client_conn"])
    # A standby refuses to follow a primary that has more.
    assert SERVICES["standby"]["command"] == SERVICES["primary"]["command"]


def test_the_balancer_waits_longer_than_a_service_and_asks_whether_it_is_ready() -> None:
    settings = SERVICES["one"]["environment"]
    seconds = dict(re.findall(r"^    timeout (\w+) (\d+)s$", HAPROXY, re.MULTILINE))
    check = re.search(r"check inter (\d)s fall (\d) ", HAPROXY)

    assert check
    assert int(seconds["server"]) > settings["DB_POOL_TIMEOUT"] + settings["DB_STATEMENT_TIMEOUT"] + 10
    assert settings["DRAIN_SECONDS"] > int(check[1]) * int(check[2])
    assert int(SERVICES["one"]["stop_grace_period"].removesuffix("s")) > settings["DRAIN_SECONDS"] + 15
    assert "uri /health/ready" in HAPROXY
    assert re.findall(r"^    server (\w+) (\w+):8000$", HAPROXY, re.MULTILINE) == [("one", "one"), ("two", "two")]
    # What a client says of itself is not passed on.
    assert "http-request del-header X-Forwarded-For" in HAPROXY


@pytest.mark.skipif(not os.access("/usr/sbin/haproxy", os.X_OK), reason="haproxy is not installed")
def test_the_balancer_understands_its_file() -> None:
    done = subprocess.run(
        ["/usr/sbin/haproxy", "-c", "-f", FILES / "haproxy.cfg"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_files_that_are_mounted_are_there() -> None:
    mounted = [volume for service in SERVICES.values() for volume in service.get("volumes", []) if volume[0] == "."]

    assert len(mounted) == 4
    assert all((ROOT / volume.split(":")[0]).is_file() and volume.endswith(":ro") for volume in mounted)


@pytest.mark.parametrize("script", sorted(FILES.glob("*.sh")), ids=lambda path: path.name)
def test_a_script_can_be_parsed(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
