"""Middleware: whatever leaves the framework is a problem with its request id all the same, counted and logged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx
import pytest
from litestar import Request, get, post
from litestar.exceptions import LitestarException
from litestar.response import Stream

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.problems import problem, problem_of
from tests.test_metrics import count, scrape

DEFECT = problem(500, "internal_error", "The service has a defect; the request id leads to its log line")


def fail(_request: Request[Any, Any, Any], _error: Exception) -> NoReturn:
    raise ArithmeticError("secret text")


def refuse(_request: Request[Any, Any, Any], _error: Exception) -> NoReturn:
    raise ConnectionRefusedError("secret text")


@get("/broken", who="anyone", exception_handlers={ValueError: fail})
async def broken() -> None:
    raise ValueError("secret text")


@post("/broken", who="anyone", exception_handlers={ValueError: fail}, status_code=200)
async def broken_write() -> None:
    raise ValueError("secret text")


@get("/refused", who="anyone", exception_handlers={ValueError: refuse})
async def refused() -> None:
    raise ValueError("secret text")


@get("/cut", who="anyone")
async def cut() -> Stream:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"the beginning"
        raise ValueError("secret text")

    return Stream(pieces())


@pytest.fixture
async def breaking(database: DatabaseUrl) -> Any:
    """A client of a service whose handlers of errors fail."""
    app = create_app(Settings(database_url=database, log_format="json", log_level="error"))
    for handler in (broken, broken_write, refused, cut):
        app.register(handler)
    async with app.lifespan(), client_of(app) as client:
        yield client


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The one line of the service."""
    (line,) = [record.msg for record in caplog.records if record.name == "app.errors"]
    assert isinstance(line, dict)
    return line


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_handler_of_errors_that_fails_is_a_defect(
    breaking: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    before = await scrape(breaking)

    answer = await breaking.request(method, "/broken")
    after = await scrape(breaking)

    assert problem_of(answer) == DEFECT
    assert count(after, method, "/broken", 500) == count(before, method, "/broken", 500) + 1
    line = logged(caplog)
    assert (line["event"], line["path"], line["exception"]) == ("defect", "/broken", "builtins.ArithmeticError")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in str(line)


async def test_its_head_has_no_body(breaking: httpx.AsyncClient) -> None:
    answer = await breaking.head("/broken")

    assert (answer.status_code, answer.content) == (500, b"")


async def test_an_outage_that_leaves_the_framework_is_one(breaking: httpx.AsyncClient) -> None:
    answer = await breaking.get("/refused")

    assert problem_of(answer) == problem(503, "database_unavailable", "The database does not answer")
    assert answer.headers["retry-after"] == "1"


async def test_an_answer_that_has_begun_is_cut_off_and_logged(
    breaking: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(LitestarException):
        await breaking.get("/cut")

    line = logged(caplog)
    assert (line["event"], line["path"]) == ("defect", "/cut")


@pytest.mark.parametrize("host", ["localhost:99999", "localhost:x", "[::1"])
async def test_a_host_that_cannot_be_is_malformed(database: DatabaseUrl, host: str) -> None:
    app = create_app(Settings(database_url=database, access="open", log_format="json", log_level="error"))
    async with app.lifespan(), client_of(app) as client:
        answer = await client.get("/users/abc", headers={"Host": host})

    assert problem_of(answer) == problem(400, "malformed_request", "The Host header cannot be parsed")


async def test_a_host_that_cannot_be_is_not_this_machine(client: httpx.AsyncClient) -> None:
    answer = await client.get("/users/abc", headers={"Host": "localhost:99999"})

    assert (answer.status_code, problem_of(answer)["code"]) == (403, "forbidden")
