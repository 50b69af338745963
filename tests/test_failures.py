"""Failures: why the database cannot be used, told to clients as a 503 and to whoever runs the service in one line."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import AsyncIterator
from errno import EMFILE
from threading import Thread
from typing import Any

import msgspec
import pytest
from anyio import to_thread
from asyncpg import InvalidPasswordError, ProtocolViolationError

from app import create_app
from app.database.errors import database_problem
from app.database.failures import explain
from app.database.homes import ServerError
from app.operations.connection_budget import log_connection_budget
from app.settings import Settings
from app.settings.database_url import DatabaseUrl, parse_database_url
from tests.clients import client_of
from tests.commands import Shell
from tests.databases import empty_database, migrate
from tests.faults.ports import free_port
from tests.migrations import execute
from tests.problems import problem, problem_of
from tests.test_roles import role

REFUSED = problem(503, "database_unavailable", "The database refuses the login of the service")
GONE = problem(503, "database_unavailable", "The database of the service is not there")
SILENT = problem(503, "database_unavailable", "The database does not answer")
UNUSABLE = problem(503, "database_unavailable", "The service cannot use its database")
OUTDATED = problem(503, "schema_outdated", "The schema is not the one that this version needs")


@pytest.fixture
async def empty() -> AsyncIterator[DatabaseUrl]:
    async with empty_database() as url:
        yield url


Capture = pytest.CaptureFixture[str]


async def told(url: DatabaseUrl, capsys: Capture) -> tuple[dict[str, Any], dict[str, Any], str, str]:
    """What ready and a read answer, what a command says, and the last line of the start."""
    settings = Settings(database_url=url, log_format="json", log_level="warning")
    app = create_app(settings)
    async with app.lifespan(), client_of(app) as client:
        answers = [problem_of(await client.get(path)) for path in ("/health/ready", "/users/1")]
    listed = await Shell(url).run("users", "list")
    assert (listed.exit_code, listed.stdout, listed.stderr.count("\n")) == (1, "", 1)
    await to_thread.run_sync(log_connection_budget, settings, 1)
    *_, line = capsys.readouterr().err.splitlines()
    return answers[0], answers[1], listed.stderr, json.loads(line)["event"]


def elsewhere(url: DatabaseUrl, **parts: Any) -> DatabaseUrl:
    return msgspec.structs.replace(url, url=url.url.set(**parts))


async def test_a_login_that_is_refused_is_not_called_silence(empty: DatabaseUrl, capsys: Capture) -> None:
    answers = await told(elsewhere(empty, username="nobody_there"), capsys)

    assert answers[:2] == (REFUSED, REFUSED)
    for line in answers[2:]:
        assert f"Cannot use the database {empty.url.database}" in line
        assert line.strip().endswith('role "nobody_there" does not exist (28000)')


async def test_a_database_that_is_not_there_is_named(empty: DatabaseUrl, capsys: Capture) -> None:
    answers = await told(elsewhere(empty, database="not_there"), capsys)

    assert answers[:2] == (GONE, GONE)
    for line in answers[2:]:
        assert line.strip().endswith('database "not_there" does not exist (3D000)')


async def test_a_port_where_nobody_listens_is_named(capsys: Capture) -> None:
    port = free_port()
    answers = await told(parse_database_url(f"postgresql://ann:s3cret@localhost:{port}/x"), capsys)

    reason = f"Cannot use the database x on localhost:{port}: Connection refused"
    assert answers == (SILENT, SILENT, f"Error: {reason}\n", f"1 worker x (5 + 10) = 15 connections at most. {reason}")


async def test_a_host_that_nobody_knows_is_named(capsys: Capture) -> None:
    answers = await told(parse_database_url("postgresql://ann:s3cret@nowhere.invalid/x"), capsys)

    assert answers[:2] == (SILENT, SILENT)
    for line in answers[2:]:
        assert "Cannot use the database x on nowhere.invalid:5432: unknown host: " in line


async def test_a_server_without_tls_is_named(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def refuse() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(8)
                    peer.sendall(b"N")

        Thread(target=refuse, daemon=True).start()
        answers = await told(parse_database_url(f"postgresql://ann@127.0.0.1:{port}/x?sslmode=require"), capsys)
        server.shutdown(socket.SHUT_RDWR)

    for line in answers[2:]:
        assert f"the database x on 127.0.0.1:{port}: " in line
        assert "rejected SSL upgrade" in line


async def test_a_database_without_tables_is_told_what_to_do(empty: DatabaseUrl, capsys: Capture) -> None:
    answers = await told(empty, capsys)

    assert answers[:2] == (OUTDATED, OUTDATED)
    for line in answers[2:]:
        assert line.strip().endswith("run `litestar database upgrade --no-prompt`")


@pytest.mark.parametrize(
    ("error", "expected", "line"),
    [
        (PermissionError(13, "x", "/root/.pgpass"), UNUSABLE, "/root/.pgpass: Permission denied"),
        (OSError(EMFILE, "x"), UNUSABLE, "Too many open files"),
        (ssl.SSLCertVerificationError(1, "self-signed"), UNUSABLE, "self-signed"),
        (ServerError("/x/.postgres: Permission denied"), UNUSABLE, "/x/.postgres: Permission denied"),
        (TimeoutError(), SILENT, "no answer in time"),
        (
            ProtocolViolationError("unsupported startup parameter: statement_timeout"),
            UNUSABLE,
            "unsupported startup parameter: statement_timeout (08P01): add prepared_statement_cache_size=0 to"
            " DATABASE_URL",
        ),
        (InvalidPasswordError("password authentication failed"), REFUSED, "password authentication failed (28P01)"),
    ],
)
def test_only_silence_is_called_silence(error: Exception, expected: dict[str, Any], line: str) -> None:
    error.add_note("Connecting to the database x")

    found = database_problem(error)

    assert found is not None
    assert (found.status, found.code, found.detail) == (503, expected["code"], expected["detail"])
    assert explain(error, "y") == f"Cannot use the database x: {line}"


async def test_a_database_that_takes_no_writes_is_ready_and_says_so(empty: DatabaseUrl) -> None:
    await migrate(empty)
    await execute(empty, f"ALTER DATABASE {empty.url.database} SET default_transaction_read_only = on")
    app = create_app(Settings(database_url=empty, log_format="json", log_level="error"))
    async with app.lifespan(), client_of(app) as client:
        ready, read = [await client.get(path) for path in ("/health/ready", "/users")]
        body = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
        written = await client.post("/users", json=body)
    created = await Shell(empty).run(
        "users", "create", "--name=Ada", "--email=a@example.com", "--password-stdin", stdin="correct horse"
    )

    assert (ready.status_code, ready.json(), read.status_code) == (200, {"status": "read_only"}, 200)
    assert problem_of(written) == problem(503, "read_only", "The database takes no writes")
    assert (created.exit_code, created.stderr) == (
        1,
        f"Error: Cannot use the database {empty.url.database}: it takes no writes, as a standby or by"
        " default_transaction_read_only (25006)\n",
    )


async def test_a_role_without_rights_is_told_what_it_lacks(empty: DatabaseUrl, capsys: Capture) -> None:
    await migrate(empty)
    async with role(empty) as url:
        ready, read, command, start = await told(url, capsys)

    lacking = problem(503, "database_unavailable", "The role of the service lacks a right in the database")
    assert (ready, read) == (lacking, lacking)
    assert command.endswith("permission denied for table users (42501)\n")
    assert "permission denied for table" in start
