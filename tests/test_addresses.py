"""Addresses: where `litestar run` listens, says that it does, and from where it may be called."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.programs import program
from tests.services import LITESTAR, _free_port, eventually

# Nothing is there: the service starts all the same.
ENVIRONMENT = {**os.environ, "DATABASE_URL": "postgresql://ann@127.0.0.1:1/x", "LOG_LEVEL": "info"}


@contextmanager
def running(folder: Path, *command: str | Path, **how: object) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=output, stderr=output, **how)  # type: ignore[call-overload]
    try:
        yield process, log
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_an_ipv6_address_has_brackets(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
        port = free.getsockname()[1]
    with running(tmp_path, LITESTAR, "run", "--host=::1", f"--port={port}", cwd=ROOT) as (_, log):
        eventually(lambda: f"Docs at http://[::1]:{port}/schema" in log.read_text())


def test_a_socket_that_was_handed_over_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        port, number = given.getsockname()[1], given.fileno()
        with running(tmp_path, LITESTAR, "run", f"--fd={number}", cwd=ROOT, pass_fds=(number,)) as (_, log):
            eventually(lambda: f"Docs at http://127.0.0.1:{port}/schema" in log.read_text())


def test_a_host_may_have_a_name(tmp_path: Path) -> None:
    port = _free_port()
    with running(tmp_path, LITESTAR, "run", "--host=localhost", f"--port={port}", cwd=ROOT) as (_, log):
        eventually(lambda: f"Docs at http://127.0.0.1:{port}/schema" in log.read_text())
        eventually(lambda: "Started worker" in log.read_text())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host=nobody.invalid"], "'--host' / '-H' (env var: 'LITESTAR_HOST'): cannot listen on nobody.invalid: "),
        (["--port=99999"], "'--port' / '-p' (env var: 'LITESTAR_PORT'): 99999 is not in the range"),
        (["--fd=99"], "cannot listen on file descriptor 99: Bad file descriptor"),
        (["--fd=0"], "cannot listen on file descriptor 0: Socket operation on non-socket"),
        (["--ssl-certificate=README.md"], "--ssl-certificate and --ssl-keyfile belong together"),
        (["--ssl-certificate=README.md", "--ssl-keyfile=README.md"], "cannot use this certificate with this key: "),
        (["--ssl-client-verify"], "--ssl-client-verify takes --ssl-ca, --ssl-certificate and --ssl-keyfile"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_in_a_line(options: list[str], told: str) -> None:
    command = [sys.executable, "-m", "app", f"--port={_free_port()}", *options]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )

    assert done.returncode in (1, 2)
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_certificate_makes_it_https(tmp_path: Path) -> None:
    make = "req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout key -out crt"
    subprocess.run([program("openssl"), *make.split()], cwd=tmp_path, check=True, capture_output=True)
    files = (f"--ssl-certfile={tmp_path / 'crt'}", f"--ssl-keyfile={tmp_path / 'key'}")
    with running(tmp_path, LITESTAR, "run", f"--port={_free_port()}", *files, cwd=ROOT) as (_, log):
        eventually(lambda: "Docs at https://127.0.0.1:" in log.read_text())


def test_a_socket_of_a_crash_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))
    with running(tmp_path, LITESTAR, "run", f"--uds={path}", cwd=ROOT) as (_, log):
        eventually(lambda: "Started worker" in log.read_text())

        again = subprocess.run(
            [LITESTAR, "run", f"--uds={path}"], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )

        assert again.returncode == 1
        assert "cannot listen on" in again.stderr
        assert "Traceback" not in again.stderr
        assert path.is_socket()


def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")

    done = subprocess.run(
        [LITESTAR, "run", f"--uds={path}"], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, path.read_text()) == (1, "mine")
    assert "cannot listen on" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("LITESTAR_PORT", "abc", "'abc' is not a valid integer range.\n"),
        ("LITESTAR_HOST", "nobody.invalid", "cannot listen on nobody.invalid: Name or service not known\n"),
        ("WEB_CONCURRENCY", "0", "0 is not in the range x>=1.\n"),
        ("LITESTAR_DEBUG", "perhaps", "'perhaps' is not a valid boolean. Recognized values: "),
        ("GRANIAN_BACKLOG", "many", "'many' is not a valid integer range.\n"),
    ],
)
def test_a_wrong_variable_is_one_line_that_names_it(variable: str, value: str, told: str) -> None:
    environment = {**os.environ, variable: value}

    done = subprocess.run([LITESTAR, "run"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"Error: {variable}: {told}")


def test_what_was_ignored_at_the_start_stays_ignored(tmp_path: Path) -> None:
    with running(tmp_path, "nohup", LITESTAR, "run", f"--port={_free_port()}", cwd=ROOT) as (process, log):
        eventually(lambda: "Started worker" in log.read_text())

        process.send_signal(signal.SIGHUP)

        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2)


def test_the_service_runs_from_any_folder(tmp_path: Path) -> None:
    with running(
        tmp_path, LITESTAR, f"--app-dir={ROOT}", "--app=app:create_app", "run", f"--port={_free_port()}", cwd=tmp_path
    ) as (
        _,
        log,
    ):
        eventually(lambda: "Started worker" in log.read_text())

    assert "ModuleNotFoundError" not in log.read_text()


def test_alembic_runs_from_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "alembic", "-c", str(ROOT / "pyproject.toml"), "heads"]

    done = subprocess.run([*command], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    current = subprocess.run(
        [*command[:-1], "current"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert "Cannot use the database x" in current.stderr


def test_a_handshake_for_a_websocket_is_answered_like_all_else(tmp_path: Path) -> None:
    port = _free_port()
    with running(tmp_path, LITESTAR, "run", f"--port={port}", cwd=ROOT) as (_, log):
        eventually(lambda: "Started worker" in log.read_text())

        key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/nowhere", headers={"Connection": "Upgrade", "Upgrade": "websocket", **key})
            answer = connection.getresponse()

    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.headers["x-request-id"]
