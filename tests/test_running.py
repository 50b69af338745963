"""Running: how `litestar run` starts, shares its database, reloads and ends."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.services import LITESTAR, ROOT, Start, eventually


@pytest.mark.parametrize(
    ("option", "number"),
    [
        ("--workers=1", signal.SIGINT),
        ("--workers=2", signal.SIGTERM),
        ("--workers=2", signal.SIGHUP),
        ("--reload", signal.SIGINT),
        ("--reload", signal.SIGTERM),
    ],
)
def test_a_signal_ends_every_worker_and_the_database(start: Start, option: str, number: signal.Signals) -> None:
    service = start(option).wait_until_ready()

    service.send(number)
    service.wait()

    assert service.left() == []


def test_a_signal_while_starting_leaves_nothing(start: Start) -> None:
    service = start()
    eventually(lambda: service.postgres() != [])

    service.send(signal.SIGTERM)
    service.wait()

    assert service.left() == []


def test_a_signal_during_the_first_initdb_leaves_nothing_that_stops_the_next(start: Start, folder: Path) -> None:
    service = start()
    eventually(lambda: any(folder.glob(".postgres/initdb-*/base")) and service.initializing() != [])
    for busy in service.initializing():
        busy.suspend()  # As if the disk were slow.

    began_at = time.monotonic()
    service.send(signal.SIGTERM)
    service.wait()

    assert (time.monotonic() - began_at < 3, service.left()) == (True, [])
    with (folder / ".postgres/log").open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not (folder / ".postgres/data").exists()


_INTERRUPTED = """
import os, signal, sys
from app import create_app

class Interrupt:
    def find_spec(self, name, *_):
        if name == "app.application":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
create_app()
"""


def test_an_interrupt_while_it_imports_is_silent() -> None:
    done = subprocess.run([sys.executable, "-c", _INTERRUPTED], cwd=ROOT, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.parametrize(
    ("number", "seconds"),
    [(signal.SIGTERM, 0), (signal.SIGTERM, 0.1), (signal.SIGTERM, 0.5), (signal.SIGINT, 0.2), (signal.SIGHUP, 0.2)],
)
def test_a_worker_that_starts_hears_a_signal(start: Start, number: signal.Signals, seconds: float) -> None:
    service = start("--workers=2")
    eventually(lambda: "Spawning worker-2" in service.log.read_text())
    time.sleep(seconds)

    service.send(number)

    assert (service.wait(), service.left()) == (0, [])
    log = service.log.read_text()
    assert "refused to gracefully stop" not in log
    # Nor is a worker replaced that ended as it was told; one that is not forked ends before it can wait for that.
    assert "Unexpected exit" not in log or multiprocessing.get_start_method() != "fork"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        # Without the database a service serves.
        (["run", "--port=0"], 0),
        # By a handler: the kernel would not end process 1 of a container.
        (["database", "upgrade", "--no-prompt"], 128 + signal.SIGTERM),
    ],
)
def test_a_command_that_waits_for_the_database_hears_a_signal(command: list[str], status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ann@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=60"
        process = subprocess.Popen([LITESTAR, *command], cwd=ROOT, env={**os.environ, "DATABASE_URL": url})
        silent.settimeout(60)
        with silent.accept()[0]:
            process.send_signal(signal.SIGTERM)

            assert process.wait(timeout=15) == status


def test_the_log_says_where_the_docs_are_and_who_may_call(start: Start) -> None:
    service = start().wait_until_ready()

    log = service.log.read_text()

    assert f"http://127.0.0.1:{service.port}/schema" in log
    assert "access is local" in log


def test_a_log_for_programs_is_json_to_its_end(start: Start) -> None:
    service = start().wait_until_ready()

    service.send(signal.SIGTERM)
    service.wait()

    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert lines[-1]["event"].startswith("Granian shutdown completed")


def test_a_port_in_use_is_refused(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        service = start(f"--port={other.getsockname()[1]}")

        assert service.wait() == 1

    assert "cannot listen" in service.log.read_text()


def test_two_services_share_a_database_until_the_last_ends(start: Start) -> None:
    first, second = start(), start()
    first.wait_until_ready()
    second.wait_until_ready()
    [pid] = {process.ppid() for process in first.postgres()} & {process.pid for process in first.postgres()}

    first.send(signal.SIGTERM)
    first.wait()

    assert second.status("/health/ready") == 200
    assert pid in {process.pid for process in second.postgres()}

    second.send(signal.SIGTERM)
    second.wait()

    assert first.left() == second.left() == []


def test_a_database_whose_service_was_killed_serves_the_next_and_ends_with_it(start: Start) -> None:
    start().wait_until_ready().kill_service()
    service = start().wait_until_ready()

    service.send(signal.SIGTERM)

    assert (service.wait(), service.left()) == (0, [])


def test_a_service_that_drains_is_not_ready_but_answers(start: Start) -> None:
    service = start("--workers=2", DRAIN_SECONDS="2").wait_until_ready()
    body = b'{"name": "Ada", "email": "ada@example.com", "password": "correct horse"}'
    head = f"POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(head.encode() + b"\r\n\r\n" + body[:20])

        service.send(signal.SIGTERM)

        eventually(lambda: service.status("/health/ready") == 503, 1)
        assert service.status("/health/live") == 200
        eventually(lambda: service.status("/health/live") is None)
        client.sendall(body[20:])
        assert client.recv(1024).startswith(b"HTTP/1.1 201")
    assert (service.wait(), service.left()) == (0, [])


def test_a_changed_file_reloads_and_a_written_database_does_not(start: Start, folder: Path) -> None:
    source, database = folder / "source", folder / ".postgres"
    source.mkdir()
    database.mkdir()
    service = start("--reload", f"--reload-paths={source}", f"--reload-paths={database}").wait_until_ready()

    (database / "written").touch()
    time.sleep(0.5)
    (source / "changed.py").touch()

    eventually(lambda: service.log.read_text().count("Started worker") == 2)
    assert str(database / "written") not in service.log.read_text()


def test_signals_may_come_at_any_moment_and_however_often() -> None:
    script = """if True:
        import signal
        from app.operations.server import Server

        server = Server("app", load=None, fd=None, note="", log_dictconfig=None)
        signal.signal(signal.SIGALRM, lambda *_: server.main_loop_interrupt.set())
        signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
        for _ in range(5_000):
            server.main_loop_interrupt.wait()
            server.main_loop_interrupt.clear()
        signal.setitimer(signal.ITIMER_REAL, 0)
    """

    subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=20, check=True)
