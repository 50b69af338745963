"""Same answers: what a client of the FastAPI service gets here, but for the differences that docs/cut-over.md names."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from app.database.engine import ROOT
from tests.predecessors import side_by_side

PAGE = (ROOT / "docs/cut-over.md").read_text().split("\n## What differs\n")[1].split("\n## ")[0]
Request = tuple[str, str, Any]


def table(head: str) -> list[list[str]]:
    """The rows of the page's table whose first column is called so."""
    rows = PAGE.split(f"| {head} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def shared() -> dict[int, set[str] | None]:
    """By status, the fields that both services send alike; None is all of them."""
    fields: dict[int, set[str] | None] = {}
    for statuses, same in table("answer"):
        known = None if same == "all" else set(re.findall(r"`(\w+)`", same.split(";")[0]))
        fields |= dict.fromkeys(map(int, statuses.split(", ")), known)
    return fields


def person(number: int, **changed: str) -> dict[str, str]:
    return {"name": f"Person {number}", "email": f"p{number}@example.com", "password": "a long enough one", **changed}


def contract() -> Iterator[Request]:
    """200 requests, of which those that are refused come last: they spend ids."""
    for number in range(1, 41):
        yield "POST", "/users", person(number)
    for number in range(1, 41):
        yield "GET", f"/users/{number}", None
    for page in range(1, 31):
        yield "GET", f"/users?page={page}&size=3", None
    for size in range(5, 101, 5):
        yield "GET", f"/users?size={size}", None
    for number in range(1, 21):
        yield "POST", "/users", person(number)
        yield "GET", f"/users/{number + 500}", None
    for wrong in (
        {"name": ""},
        {"name": "n" * 101},
        {"email": "nobody"},
        {"password": "short"},
        {"password": "p" * 129},
    ):
        yield "POST", "/users", person(0, **wrong)
    for query in ("page=0", "page=-1", "page=x", "size=0", "size=101", "size=", "size=x", "page=", "page=1&size=-5"):
        yield "GET", f"/users?{query}", None
    for path in ("/users/x", "/users/1x", "/users/one", "/nothing", "/users/1/2", "/user"):
        yield "GET", path, None
    for body in ([], {}, {"name": "Ann"}, "text", 1, None, [1]):
        yield "POST", "/users", {} if body is None else body
    yield from (("PUT", "/users", {}), ("PUT", "/users/1", {}), ("POST", "/users/1", {}))


@pytest.fixture
async def both() -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    async with side_by_side() as clients:
        yield clients


async def answers(both: tuple[httpx.AsyncClient, ...], request: Request) -> list[httpx.Response]:
    method, path, body = request
    content = None if body is None else json.dumps(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    return [await client.request(method, path, content=content, headers=headers) for client in both]


async def test_200_requests_of_the_contract_are_answered_alike(
    both: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    same, requests, differences = shared(), list(contract()), []
    statuses: Counter[int] = Counter()

    for request in requests:
        old, new = await answers(both, request)
        statuses[old.status_code] += 1
        fields = same[old.status_code] if old.status_code == new.status_code else None
        seen = [
            one.json() if fields is None else {name: one.json()[name] for name in fields} if fields else one.status_code
            for one in (old, new)
        ]
        if old.status_code != new.status_code or seen[0] != seen[1]:
            differences.append((request, old.status_code, new.status_code, *seen))

    assert differences == []
    assert statuses == {200: 90, 201: 40, 404: 23, 405: 3, 409: 20, 422: 24}


async def test_the_differences_are_those_of_the_page(both: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    await answers(both, ("POST", "/users", person(0, email="ada@example.com")))

    listed, seen = [], []
    for request, there, here, _ in table("request"):
        method, path, *body = request.strip("`").split(" ", 2)
        listed.append((request, int(there), int(here)))
        old, new = await answers(both, (method, path, json.loads(body[0]) if body else None))
        seen.append((request, old.status_code, new.status_code))

    assert seen == listed
