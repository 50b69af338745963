"""Request id: taken if well-formed, else made; returned, and put into every problem."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest


@pytest.mark.parametrize(
    "given",
    [
        "abc",
        "0197-a_B.9",
        "x" * 128,
        "01a1fca5-4e1e-7c3b-a1c9-6f4a3c5be7d2/17",
        "Root=1-67891233-abcdef012345678912345678",
        "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1",
        "0HLQV0N2HH7UM:00000001",
        "dGhlIHNhbXBsZQ+/==",
        "!#$%&()*+-./:;=?@[]^_|~",
    ],
)
async def test_a_well_formed_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    fine = await client.get("/health/live", headers={"X-Request-Id": given})
    wrong = await client.get("/users/abc", headers={"X-Request-Id": given})

    assert fine.headers.get_list("x-request-id") == [given]
    assert (wrong.headers["x-request-id"], wrong.json()["request_id"]) == (given, given)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "{}", "a\tb", *"\"'`\\,<>{}"])
async def test_another_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/health/live", headers=[(b"X-Request-Id", given.encode())])

    assert UUID(answer.headers["x-request-id"]).version == 7


async def test_every_request_has_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    made = [(await client.get("/nowhere")).json()["request_id"] for _ in range(20)]

    assert len(set(made)) == 20
    assert made == sorted(made)


async def test_an_id_is_on_answers_without_a_body_too(client: httpx.AsyncClient) -> None:
    for method, path in (("HEAD", "/users"), ("OPTIONS", "/users"), ("DELETE", "/users/1")):
        answer = await client.request(method, path, headers={"X-Request-Id": "mine"})

        assert answer.headers["x-request-id"] == "mine"


async def test_of_two_ids_none_is_taken(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live", headers=[("X-Request-Id", "mine"), ("X-Request-Id", "yours")])

    assert UUID(answer.headers["x-request-id"]).version == 7
