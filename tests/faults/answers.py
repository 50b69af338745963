"""Answers: what a client may be told while something is broken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence

import httpx

PROBLEM_JSON = "application/problem+json"


async def timed(request: Awaitable[httpx.Response]) -> tuple[httpx.Response, float]:
    """An answer, and the seconds until it came."""
    began = time.perf_counter()
    return await request, time.perf_counter() - began


async def timed_all(requests: Sequence[Awaitable[httpx.Response]]) -> list[tuple[httpx.Response, float]]:
    return await asyncio.gather(*map(timed, requests))


def assert_unavailable(answer: httpx.Response, code: str = "database_unavailable") -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM_JSON), answer.text
    assert answer.json()["code"] == code, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["cache-control"] == "no-store"
