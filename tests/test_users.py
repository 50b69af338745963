"""Users: created, read, changed and deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

ADA = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}


async def sign_up(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/users", json={**ADA, **fields})


async def test_a_new_user_is_returned_without_the_password(client: httpx.AsyncClient) -> None:
    created = await sign_up(client)

    assert (created.status_code, created.json()) == (201, {"id": 1, "name": "Ada", "email": "ada@example.com"})
    assert created.headers["location"] == "/users/1"
    assert created.headers["etag"] == '"1"'


async def test_a_created_user_can_be_read(client: httpx.AsyncClient) -> None:
    created = await sign_up(client)

    read = await client.get(created.headers["location"])

    assert (read.status_code, read.json()) == (200, created.json())
    assert read.headers["cache-control"] == "private, no-cache"


async def test_a_hundred_sign_ups_of_one_address_give_one_user(client: httpx.AsyncClient) -> None:
    spellings = [f"{'Ann' if n % 2 else 'ANN'}@{'Example' if n % 3 else 'example'}.com" for n in range(100)]

    answers = await asyncio.gather(*(sign_up(client, email=email) for email in spellings))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 99
    conflict = next(answer for answer in answers if answer.status_code == 409)
    assert conflict.json()["detail"] == "Email already registered"
    assert conflict.json()["code"] == "email_taken"


@pytest.mark.parametrize(("user_id", "status"), [("abc", 422), ("9223372036854775808", 404), ("1", 404), ("0", 404)])
async def test_an_id_that_is_nobody_is_never_a_failure(client: httpx.AsyncClient, user_id: str, status: int) -> None:
    read = await client.get(f"/users/{user_id}")

    assert read.status_code == status
