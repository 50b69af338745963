"""Starting: what is loaded, which processes there are, and that none of them stays behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.services import LITESTAR, ROOT, Service, Start, eventually

NOWHERE = "postgresql://ann@127.0.0.1:1/x"
RUN = (LITESTAR, "run")
LAUNCHER = (sys.executable, "-m", "app")


@pytest.mark.parametrize("command", [("run",), ("users", "list")], ids=" ".join)
def test_an_image_for_another_processor_says_so_in_a_line(command: tuple[str, ...]) -> None:
    environment = {**os.environ, "DATABASE_URL": NOWHERE, "PROCESSOR_FLAGS": "avx1024"}

    done = subprocess.run([LITESTAR, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == "Error: this image was built for processors with avx1024, which this one has not\n"


def serves(service: Service) -> bool:
    return service.status("/health/live") == 200


@pytest.mark.parametrize("command", [RUN, LAUNCHER], ids=["litestar run", "python -m app"])
def test_a_service_is_a_parent_and_its_worker(start: Start, command: tuple[str | Path, ...]) -> None:
    service = start(command=command, DATABASE_URL=NOWHERE)
    eventually(lambda: serves(service))

    family = service.process.children(recursive=True)

    assert [process.ppid() for process in family] == [service.process.pid]


def test_the_launcher_takes_the_options_and_variables_of_the_command(start: Start) -> None:
    service = start("-H", "127.0.0.2", command=LAUNCHER, DATABASE_URL=NOWHERE, WEB_CONCURRENCY="2")
    eventually(lambda: service.log.read_text().count("Started worker") == 2)

    with socket.create_connection(("127.0.0.2", service.port), timeout=5):
        assert len(service.process.children()) == 2


def test_two_signals_at_once_are_one(start: Start) -> None:
    service = start("--workers=2", DATABASE_URL=NOWHERE)
    eventually(lambda: service.log.read_text().count("Started worker") == 2)

    service.send(signal.SIGTERM)
    time.sleep(0.05)
    service.process.send_signal(signal.SIGTERM)

    assert (service.wait(), service.left()) == (0, [])


@pytest.mark.parametrize("workers", ["--workers=1", "--workers=2"])
def test_what_is_left_of_a_killed_parent_ends(start: Start, workers: str) -> None:
    service = start(workers).wait_until_ready()
    service.family.update(service.process.children(recursive=True))

    service.process.kill()

    eventually(lambda: service.left() == [], 15)


def test_a_worker_that_is_no_copy_of_its_parent_logs_and_ends_alike(start: Start, folder: Path) -> None:
    (folder / "sitecustomize.py").write_text(
        'import multiprocessing\nmultiprocessing.set_start_method("spawn", True)\n'
    )
    service = start(DRAIN_SECONDS="1", PYTHONPATH=str(folder)).wait_until_ready()

    service.send(signal.SIGHUP)
    eventually(lambda: service.status("/health/ready") == 503)

    assert (service.wait(), service.left()) == (0, [])
    assert "Create users" in service.log.read_text()
    assert "Stopping worker-1" in service.log.read_text()


def test_granian_alone_leaves_no_database(start: Start) -> None:
    alone = (LITESTAR.with_name("granian"), "--interface=asgi", "--factory", "app:create_app")
    service = start(command=alone)
    eventually(lambda: service.status("/health/ready") is not None and service.postgres() != [])

    service.send(signal.SIGTERM)

    assert (service.wait(), service.left()) == (0, [])


def test_a_worker_that_cannot_start_is_tried_once(start: Start, folder: Path) -> None:
    (folder / "broken").mkdir()
    service = start(DATABASE_URL=NOWHERE, cwd=copy_of_the_service(folder, broken=True))

    assert service.wait() == 1
    assert service.log.read_text().count("SyntaxError") == 1


def test_a_file_that_is_saved_with_an_error_is_named_and_waited_for(start: Start, folder: Path) -> None:
    copy = copy_of_the_service(folder)
    file = copy / "app/http/etags.py"
    text = file.read_text()
    service = start("--reload", "--reload-paths=app", DATABASE_URL=NOWHERE, cwd=copy)
    eventually(lambda: serves(service))

    file.write_text(f"{text}\ndef broken(:\n")
    eventually(lambda: "Waiting for the next change" in service.log.read_text())
    file.write_text(text)

    eventually(lambda: service.log.read_text().count("Started worker") == 2)
    assert serves(service)
    [line] = [line for line in service.log.read_text().splitlines() if "Waiting for" in line]
    assert json.loads(line)["event"].startswith(f"{file}, line {text.count(chr(10)) + 2}: invalid syntax")
    assert "Traceback" not in service.log.read_text()


def copy_of_the_service(folder: Path, *, broken: bool = False) -> Path:
    copy = folder / "copy"
    for part in ("app", "alembic"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    if broken:
        (copy / "app/http/etags.py").write_text("def broken(:\n")
    return copy


@pytest.mark.parametrize("command", [RUN, LAUNCHER], ids=["litestar run", "python -m app"])
def test_an_idle_connection_is_kept_for_a_minute(command: tuple[str | Path, ...]) -> None:
    told = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    [text] = re.findall(r"--http1-header-read-timeout.*?\[.*?\]", told, re.DOTALL)
    assert "default: 60000" in " ".join(text.split())


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        ((*LAUNCHER, "--help"), ["litestar", "advanced_alchemy", "alembic"]),
        (
            (sys.executable, "-m", "litestar", "--help"),
            ["app.application", "app.bulk", "alembic", "granian", "asyncpg"],
        ),
        ((sys.executable, "-m", "litestar", "users", "--help"), ["app.application", "alembic", "granian"]),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, tuple) else None,
)
def test_nothing_is_imported_before_it_is_needed(command: tuple[str, ...], unwanted: list[str]) -> None:
    how = [command[0], "-X", "importtime", *command[1:]]
    told = subprocess.run(how, cwd=ROOT, capture_output=True, text=True, check=True).stderr

    imported = {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}
    assert imported.isdisjoint(unwanted)
    assert "click" in imported
