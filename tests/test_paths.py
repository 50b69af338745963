"""Paths: each has one spelling, so that a rule of a gateway for it is a rule for all."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.people import add_crowd
from tests.problems import problem, problem_of
from tests.test_users import sign_up

NOT_FOUND = problem(404, "not_found", "Not Found")


def url(raw_path: str) -> httpx.URL:
    """This very path, which the client would tidy."""
    return httpx.URL("http://localhost").copy_with(raw_path=raw_path.encode())


@pytest.mark.parametrize(
    "path",
    ["//users/1", "/users//1", "/users%2F1", "/users%2f1", "/%2Fusers/1", "/users/1//", "/users/1%2F", "/users%5C1"]
    + ["/users%5c1", "/users\\1", "/users/\\1", "///users/1", "/users//1?a=1", "/users/%2F/1"],
)
async def test_another_spelling_of_a_path_is_not_there(client: httpx.AsyncClient, path: str) -> None:
    await sign_up(client)

    answers = [await client.request(method, url(path)) for method in ("GET", "PATCH", "DELETE")]

    assert [problem_of(answer) for answer in answers] == [NOT_FOUND] * 3
    assert (await client.get("/users/1")).json()["name"] == "Ada"


@pytest.mark.parametrize("path", ["/users/1", "/users/1/", "/%75sers/1", "/users/%31", "/users/1?q=%2F//%5C"])
async def test_a_path_that_is_merely_encoded_is_the_same(
    client: httpx.AsyncClient, engine: AsyncEngine, path: str
) -> None:
    await add_crowd(engine, 1)

    answer = await client.get(url(path))

    assert (answer.status_code, answer.json()["id"]) == (200, 1)


@pytest.mark.parametrize(
    "path", ["//metrics", "/%2fmetrics", "/metrics/", "/metrics//", "/health/..//metrics", "//schema", "/health//live"]
)
async def test_what_a_gateway_denies_has_no_second_door(client: httpx.AsyncClient, path: str) -> None:
    assert problem_of(await client.get(url(path))) == NOT_FOUND
    assert (await client.head(url(path))).status_code == 404
