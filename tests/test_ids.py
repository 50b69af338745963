"""Ids: several of a list in one request."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.people import add_crowd
from tests.problems import invalid, problem_of

WORDS = "must be whole numbers, separated by commas"


async def ids(client: httpx.AsyncClient, query: str) -> list[int]:
    return [item["id"] for item in (await client.get(f"/users?{query}")).json()["items"]]


@pytest.fixture
async def crowd(client: httpx.AsyncClient, engine: AsyncEngine) -> httpx.AsyncClient:
    await add_crowd(engine, 9)
    return client


async def test_several_are_found_by_id_in_the_order_of_the_list(crowd: httpx.AsyncClient) -> None:
    page = (await crowd.get("/users?id=3,1,2")).json()

    assert ([item["id"] for item in page["items"]], page["total"], page["pages"]) == ([1, 2, 3], 3, 1)
    assert await ids(crowd, "id=3,1,2&sort=-id") == [3, 2, 1]
    assert await ids(crowd, "id=9,7,8&sort=name") == [7, 8, 9]
    assert await ids(crowd, "id=3%2C1&email=p1@example.com") == [1]


async def test_who_is_not_there_is_left_out(crowd: httpx.AsyncClient) -> None:
    assert await ids(crowd, f"id=0,77,5,5,{2**63 - 1}") == [5]
    assert (await crowd.get("/users?id=77")).json() == {"items": [], "total": 0, "page": 1, "size": 20, "pages": 0}


async def test_pages_and_cursors_go_through_them(crowd: httpx.AsyncClient) -> None:
    page = await crowd.get("/users?id=2,4,6&size=2")
    first = (await crowd.get("/users?id=2,4,6&size=2&cursor=")).json()
    cursor = first["next_cursor"]

    assert page.headers["link"].startswith('</users?id=2%2C4%2C6&size=2&page=2>; rel="next"')
    assert await ids(crowd, f"id=6,4,2,2&size=2&cursor={cursor}") == [6]
    assert (await crowd.get(f"/users?id=2,4&size=2&cursor={cursor}")).json()["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    ("given", "words"),
    [(text, WORDS) for text in ("", ",", "1,", "1,,2", "x", "1 ,2", "1.0", "1e0", "01", "+1", "٣", "1;2", "null")]
    + [("-1", "at least 0"), (str(2**63), f"at most {2**63 - 1}")]
    + [(",".join(["1"] * 101), "at most 100 items")],
)
async def test_what_is_no_id_is_named(client: httpx.AsyncClient, given: str, words: str) -> None:
    refused = await client.get("/users", params={"id": given})

    assert problem_of(refused) == invalid({"parameter": "id", "detail": words})


async def test_the_document_says_that_ids_are_numbers_with_commas(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()

    reads = [item["get"].get("parameters", ()) for item in document["paths"].values() if "get" in item]
    lists = [found for parameters in reads if "sort" in (found := {one["name"]: one for one in parameters})]
    assert lists
    for shown in (found["id"] for found in lists):
        assert (shown["style"], shown["explode"]) == ("form", False)
        assert shown["schema"] == {
            "type": "array",
            "items": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**63 - 1},
            "minItems": 1,
            "maxItems": 100,
        }
