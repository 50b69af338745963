"""CORS: pages of named origins may call from a browser, and read refusals, too."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.problems import problem, problem_of

OURS, THEIRS = {"Origin": "https://app.example.com"}, {"Origin": "https://evil.example"}
ASKED = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization, if-match"}


@pytest.fixture
async def page(client: httpx.AsyncClient, database: DatabaseUrl) -> AsyncIterator[httpx.AsyncClient]:
    origins = ("https://app.example.com",)
    app = create_app(Settings(database_url=database, cors_origins=origins, log_format="json", log_level="error"))
    async with app.lifespan(), client_of(app) as page:
        yield page


def allowed(answer: httpx.Response) -> str | None:
    origin: str | None = answer.headers.get("access-control-allow-origin")
    return origin


async def test_a_page_may_ask_and_read(page: httpx.AsyncClient) -> None:
    asked = await page.options("/users/1", headers={**OURS, **ASKED})
    read = await page.get("/users/1", headers=OURS)

    assert (asked.status_code, allowed(asked)) == (204, OURS["Origin"])
    assert {"authorization", "if-match"} <= set(asked.headers["access-control-allow-headers"].lower().split(", "))
    assert (read.status_code, allowed(read)) == (404, OURS["Origin"])
    shown = {name.strip().lower() for name in read.headers["access-control-expose-headers"].split(",")}
    assert shown >= {"etag", "link", "location", "retry-after", "ratelimit", "ratelimit-policy", "www-authenticate"}
    assert shown >= {"idempotency-replayed", "x-request-id"}


async def test_another_page_may_not(page: httpx.AsyncClient) -> None:
    asked = await page.options("/users", headers={**THEIRS, **ASKED})

    assert problem_of(asked) == problem(403, "forbidden", "CORS_ORIGINS does not name this Origin")
    assert (allowed(asked), asked.headers["cache-control"]) == (None, "no-store")
    assert allowed(await page.get("/users", headers=THEIRS)) is None


async def test_a_refusal_before_the_framework_can_be_read_too(page: httpx.AsyncClient) -> None:
    refused = await page.get("/users", headers={**OURS, "Host": "example.com"})

    assert (refused.status_code, allowed(refused)) == (403, OURS["Origin"])


async def test_without_origins_there_is_no_cors(client: httpx.AsyncClient) -> None:
    answer = await client.get("/users", headers=OURS)

    assert allowed(answer) is None


@pytest.mark.parametrize(
    "path",
    ["/users", "/nowhere", "/health/live", "/schema", "/schema/start.js", "/schema/assets/swagger-ui.css"]
    + ["/schema/assets/nowhere", "/schema/nowhere", "/metrics", "/users/%2f"],
)
async def test_no_browser_guesses_what_an_answer_is(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers["content-type"].startswith(("application/", "text/"))
