"""Errors: each is one problem+json with a fixed code, whatever raised it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from litestar import get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, TooManyRequestsException
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.problems import invalid, problem, problem_of

JSON = {"Content-Type": "application/json"}
DEFECT = problem(500, "internal_error", "The service has a defect; the request id leads to its log line")


@get("/broken", who="anyone")
async def broken() -> None:
    raise ValueError("secret text")


@get("/broken-answer", who="anyone")
async def broken_answer() -> object:
    return object()


@get("/broken-sql", who="anyone")
async def broken_sql(transaction: NamedDependency[AsyncSession]) -> None:
    await transaction.execute(text("SELECT missing_column, :secret"), {"secret": "secret text"})


@get("/refused", who="anyone")
async def refused() -> None:
    raise TooManyRequestsException("secret text", headers={"Retry-After": "7"})


@get("/teapot", who="anyone")
async def teapot() -> None:
    raise HTTPException("secret text", status_code=418)


@pytest.fixture
async def breaking(database: DatabaseUrl) -> Any:
    """A client of a service with handlers that fail."""
    app = create_app(Settings(database_url=database, log_format="json", log_level="error"))
    for handler in (broken, broken_answer, broken_sql, refused, teapot):
        app.register(handler)
    async with app.lifespan(), client_of(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/nowhere", "/users/1/2", "/health/nothing", "/%00", "/é"])
async def test_a_path_that_is_not_there_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert problem_of(answer) == problem(404, "not_found", "Not Found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/users", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/users/", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/users/1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("TRACE", "/users/1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("BREW", "/users", "GET, HEAD, OPTIONS, POST"),
    ],
)
async def test_a_method_that_is_not_there_is_told_which_are(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)

    assert problem_of(answer) == problem(405, "method_not_allowed", "Method Not Allowed")
    assert sorted(answer.headers["allow"].split(", ")) == allowed.split(", ")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"name": "Ada",}',
        b'{"name": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"name": NaN}',
        b"[" * 50_000,
        '{"name": "Ada"}'.encode("utf-16"),
        b'{"name": "Ada"} x',
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_cannot_be_parsed_is_malformed(client: httpx.AsyncClient, method: str, body: bytes) -> None:
    answer = await client.request(method, "/users" if method == "POST" else "/users/1", content=body, headers=JSON)

    assert problem_of(answer) == problem(400, "malformed_request", "The body is not valid JSON")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_body_that_is_missing_is_malformed(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/users" if method == "POST" else "/users/1", headers=JSON)

    assert problem_of(answer) == problem(400, "malformed_request", "A JSON body is required")


@pytest.mark.parametrize("body", [b"[]", b'"Ada"', b"7", b"null", b"true"])
async def test_json_that_is_not_an_object_is_invalid(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/users", content=body, headers=JSON)

    assert problem_of(answer) == invalid({"pointer": "", "detail": "must be an object"})


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_64_kib_is_too_large(client: httpx.AsyncClient, declared: bool) -> None:
    body = b'{"name": "' + b"a" * 64 * 1024 + b'"}'

    async def pieces() -> Any:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    answer = await client.post("/users", content=body if declared else pieces(), headers=JSON)

    assert problem_of(answer) == problem(413, "body_too_large", "Request Entity Too Large")


async def test_a_body_of_64_kib_is_read(client: httpx.AsyncClient) -> None:
    body = b'{"name": "' + b"a" * (64 * 1024 - 12) + b'"}'

    answer = await client.post("/users", content=body, headers=JSON)

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "json",
        "application/xml",
    ]
    + ["application/json; charset=utf-16", "application/msgpack"],
)
async def test_a_body_that_is_not_json_by_its_type_is_refused(client: httpx.AsyncClient, content_type: str) -> None:
    answer = await client.post("/users", content=b"{}", headers={"Content-Type": content_type})

    expected = problem(415, "unsupported_media_type", "The body must be application/json in UTF-8")
    assert problem_of(answer) == expected


@pytest.mark.parametrize("path", ["/broken", "/broken-answer", "/broken-sql"])
async def test_a_defect_is_told_in_a_fixed_text(breaking: httpx.AsyncClient, path: str) -> None:
    answer = await breaking.get(path)

    assert problem_of(answer) == DEFECT


async def test_an_error_of_the_framework_keeps_its_status_and_headers_but_not_its_text(
    breaking: httpx.AsyncClient,
) -> None:
    limited, teapot = await breaking.get("/refused"), await breaking.get("/teapot")

    assert problem_of(limited) == problem(429, "rate_limited", "Too Many Requests")
    assert limited.headers["retry-after"] == "7"
    assert problem_of(teapot) == problem(418, "malformed_request", "I'm a Teapot")


@pytest.mark.parametrize("path", ["/users/abc", "/users?page=0", "/nowhere", "/users/9223372036854775808"])
async def test_head_of_an_error_is_the_error_without_a_body(client: httpx.AsyncClient, path: str) -> None:
    read, head = await client.get(path), await client.head(path)

    assert (head.status_code, head.content) == (read.status_code, b"")
    assert head.headers["content-type"] == "application/problem+json"


async def test_no_rejected_value_is_repeated(client: httpx.AsyncClient) -> None:
    body = {"name": "", "email": "s3cret", "password": "s3cret", "role": "s3cret"}

    answer = await client.post("/users", json=body)

    assert answer.status_code == 422
    assert "s3cret" not in answer.text
