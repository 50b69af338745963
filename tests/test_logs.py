"""Logs: lines that carry the request id and no secret, for a person on a terminal and as JSON elsewhere."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog
from litestar import get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from app import create_app
from app.logs import configure_logs
from app.resources.users.model import User
from app.resources.users.repository import UserRepository
from app.settings import Settings
from app.settings.database_url import DatabaseUrl, parse_database_url
from tests.clients import client_of


@get("/broken", who="anyone")
async def broken() -> None:
    raise ValueError("secret text")


@pytest.fixture(autouse=True)
def _logs_of_other_tests() -> Iterator[None]:
    yield
    configure_logs(style="json", level="warning")


def lines(text: str) -> list[dict[str, Any]]:
    """The lines of a log but for those of the client, which runs in this process too."""
    found = [json.loads(line) for line in text.splitlines()]
    return [line for line in found if line["logger"] not in ("httpx", "asyncio")]


async def test_a_defect_is_logged_with_the_request_id_and_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    app = create_app(Settings(log_format="json", log_level="warning"))
    app.register(broken)

    async with client_of(app) as client:
        answer = await client.get("/broken", headers={"X-Request-Id": "mine"})

    (line,) = lines(capsys.readouterr().err)
    assert answer.status_code == 500
    assert line.pop("timestamp").endswith("Z")
    assert line.pop("frames")[-1].startswith("tests.test_logs:")
    assert line == {
        "event": "defect",
        "level": "error",
        "logger": "app.errors",
        "request_id": "mine",
        "method": "GET",
        "path": "/broken",
        "status": 500,
        "code": "internal_error",
        "exception": "builtins.ValueError",
    }


async def test_an_outage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = parse_database_url("postgresql://ann:s3cret@127.0.0.1:1/x")
    app = create_app(Settings(database_url=nowhere, log_format="json", log_level="info"))

    async with client_of(app) as client:
        await client.get("/users/1", headers={"X-Request-Id": "mine"})

    (line,) = lines(capsys.readouterr().err)
    assert (line["event"], line["code"], line["request_id"]) == ("unavailable", "database_unavailable", "mine")
    assert "s3cret" not in str(line)


@get("/broken-write", who="anyone")
async def broken_write(transaction: NamedDependency[AsyncSession]) -> None:
    await UserRepository(session=transaction).add(User(name="Ada", email="ada@example.com", hashed_password=None))


@pytest.mark.parametrize("error_data", [False, True])
async def test_a_defect_in_a_statement_can_be_told_by_its_sqlstate(
    database: DatabaseUrl, capsys: pytest.CaptureFixture[str], error_data: bool
) -> None:
    app = create_app(Settings(database_url=database, log_format="json", log_level="warning", log_error_data=error_data))
    app.register(broken_write)

    async with app.lifespan(), client_of(app) as client:
        answer = await client.get("/broken-write")

    (line,) = lines(capsys.readouterr().err)
    assert answer.status_code == 500
    assert (line["exception"], line["sqlstate"]) == ("asyncpg.exceptions.NotNullViolationError", "23502")
    assert any(frame.startswith("tests.test_logs:") for frame in line["frames"])
    # Whose they are is for laptops only.
    assert ("ada@example.com" in str(line)) is ("error_data" in line) is error_data


async def test_an_outage_says_where_the_database_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = parse_database_url("postgresql://ann:s3cret@127.0.0.1:1/x")
    app = create_app(Settings(database_url=nowhere, log_format="json", log_level="info"))

    async with client_of(app) as client:
        await client.get("/users/1")

    (line,) = lines(capsys.readouterr().err)
    assert line["cause"] == "builtins.ConnectionRefusedError"
    assert line["reason"] == "Cannot use the database x on 127.0.0.1:1: Connection refused"


async def test_each_request_is_a_line_where_that_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    app = create_app(Settings(log_format="json", log_requests=True))

    async with client_of(app) as client:
        await client.get("/health/live", headers={"X-Request-Id": "mine"})
        await client.head("/nowhere?password=s3cret", headers={"X-Request-Id": "yours"})

    fine, missing = lines(capsys.readouterr().err)
    assert fine.pop("ms") >= 0
    assert fine.pop("timestamp")
    assert fine == {
        "event": "request",
        "level": "info",
        "logger": "app.requests",
        "method": "GET",
        "path": "/health/live",
        "status": 200,
        "request_id": "mine",
    }
    assert (missing["method"], missing["path"], missing["status"]) == ("HEAD", "/nowhere", 404)


async def test_no_line_holds_a_password_a_hash_or_a_token(
    database: DatabaseUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(database_url=database, db_echo=True, log_requests=True, log_format="json", log_level="debug")
    app = create_app(msgspec.structs.replace(settings, throttle=False))
    body = {"name": "Eve", "email": "eve-logs@example.com", "password": "s3cret horse"}
    sign_in = {"email": body["email"], "password": body["password"]}

    async with app.lifespan(), client_of(app) as client:
        for password in ("s3cret horse", "s3cret"):
            await client.post("/users", json={**body, "password": password})
        taken = await client.post("/users", json=body)
        wrong = await client.post("/sessions", json={**sign_in, "password": "s3cret"})
        session = (await client.post("/sessions", json=sign_in)).json()
        user, headers = f"/users/{session['user']['id']}", {"Authorization": f"Bearer {session['token']}"}
        change = {"current_password": body["password"], "new_password": "another s3cret"}
        changed = await client.put(f"{user}/password", json=change, headers=headers)
        reset = (await client.post(f"{user}/password-resets")).json()
        chosen = await client.post("/password-resets", json={"token": reset["token"], "new_password": "third s3cret"})

    told = capsys.readouterr()
    assert [answer.status_code for answer in (taken, wrong, changed, chosen)] == [409, 401, 204, 204]
    assert "INSERT INTO users" in told.err
    for secret in ("s3cret", "$argon2", session["token"][4:20], reset["token"][4:20]):
        assert secret not in told.err + told.out


def test_a_library_that_logs_an_exception_shows_where_and_not_what(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(style="json")

    try:
        raise ValueError("secret text")
    except ValueError:
        logging.getLogger("some.library").exception("it failed: %s", "badly")

    (line,) = lines(capsys.readouterr().err)
    assert (line["event"], line["exception"]) == ("it failed: badly", "builtins.ValueError")
    assert line["frames"]


def test_lines_are_for_people_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        configure_logs(style="auto")
        structlog.get_logger("app.test").info("hello", size=7)
        terminal.flush()
        told = os.read(ours, 1_000).decode()
    os.close(ours)

    assert "\x1b[" in told
    assert "hello" in told
    assert not told.lstrip().startswith("{")


def test_lines_are_json_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(style="auto")

    structlog.get_logger("app.test").info("hello", size=7)

    (line,) = lines(capsys.readouterr().err)
    assert (line["event"], line["size"], line["level"]) == ("hello", 7, "info")


async def test_a_terminal_is_shown_what_it_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    app = create_app(Settings(log_format="console", log_requests=True))

    async with client_of(app) as client:
        await client.get("/%1b]0;owned%07%c2%9b%e2%80%ae%0d%0a2026[info]forged")
        logging.getLogger("some.library\x1b").warning("told: %s", "\x1b[2J\n\N{RIGHT-TO-LEFT OVERRIDE}", extra={"x": 1})

    told = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().err)  # without our own colours
    assert all(line.isprintable() for line in told.splitlines())
    assert r"/\x1b]0;owned\x07\x9b\u202e\r\n2026[info]forged" in told
    assert r"told: \x1b[2J\n\u202e" in told


def test_a_migration_is_a_line_and_its_circumstances_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(style="json")

    logger = logging.getLogger("alembic.runtime.migration")
    logger.info("Context impl %s.", "PostgresqlImpl")
    logger.info("Running %s", "upgrade")
    logger.warning("Trouble")

    assert [line["event"] for line in lines(capsys.readouterr().err)] == ["Running upgrade", "Trouble"]


@pytest.mark.parametrize(
    ("is_terminal", "environment", "is_coloured"),
    [(True, {}, True), (True, {"NO_COLOR": "1"}, False), (True, {"TERM": "dumb"}, False), (False, {}, False)],
)
def test_colours_are_for_terminals_that_have_them(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
    environment: dict[str, str],
    is_coloured: bool,
) -> None:
    for name, value in ({"NO_COLOR": "", "TERM": "xterm"} | environment).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    configure_logs(style="console")

    logging.getLogger("app").warning("Something")

    told = capsys.readouterr().err
    assert ("Something" in told, "\x1b[" in told) == (True, is_coloured)
