"""Supervision: systemd hears when the service serves, and its unit names what is there."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from app import create_app
from app.database.engine import ROOT
from app.settings import Settings
from tests.programs import program


@pytest.mark.parametrize("place", ["socket", "@litestar-users-{}"])
async def test_a_supervisor_hears_when_the_service_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    address = place.format(tmp_path.name) if place.startswith("@") else str(tmp_path / place)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(address.replace("@", "\0") if place.startswith("@") else address)
        supervisor.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)

        async with create_app(Settings(log_format="json", log_level="error")).lifespan():
            heard = supervisor.recv(100)

    assert heard == b"READY=1"


def test_the_unit_waits_for_it_and_sets_what_there_is() -> None:
    unit = (ROOT / "deploy/litestar-users.service").read_text()

    assert "Type=notify\n" in unit
    known = {field.name.upper() for field in msgspec.structs.fields(Settings)}
    line = next(line for line in unit.splitlines() if line.startswith("Environment="))
    names = {pair.partition("=")[0].removesuffix("_FILE") for pair in line.removeprefix("Environment=").split()}
    assert set() < names <= known


def test_systemd_understands_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    there = (ROOT / "deploy/litestar-users.service").read_text().replace("/srv/litestar-users/.venv/bin", str(tmp_path))
    (tmp_path / "litestar").symlink_to(sys.executable)
    (tmp_path / "users.service").write_text(there)

    for command in (["verify"], ["security", "--offline=true", "--threshold=20"]):
        done = subprocess.run([program("systemd-analyze"), *command, tmp_path / "users.service"], capture_output=True)

        assert (done.returncode, done.stderr.decode()) == (0, "")
