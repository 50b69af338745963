"""The edge: a request id, who may call, and HEAD, before Litestar sees a request."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

import structlog
from uuid_utils import uuid7

from app.errors import PROBLEM_JSON, problem_body, report
from app.incoming import Incoming
from app.logs import request_id
from app.problems import Forbidden, Malformed, Problem, Unavailable

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

_log = structlog.get_logger("app.requests")
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_LOCAL_HOST = re.compile(rb"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_PROXY_HEADERS = frozenset({b"forwarded", b"x-real-ip", b"via"})
_REFUSED = "ACCESS=local serves this machine only; set ACCESS=open behind a gateway that authenticates"
_LATE = Unavailable()

Observe = Callable[[str, str | None, int, float], None]
"""Is told of each answer: method, route, status and the seconds until it started."""


async def serve(
    app: ASGIApp,
    scope: HTTPScope,
    receive: Receive,
    send: Send,
    *,
    local: bool,
    log: bool,
    limit: float,
    observe: Observe,
) -> None:
    """Run `app` for one request.

    `local` turns away whoever is not on this machine; `log` logs a line for each; `limit` is in seconds, for what
    writes: from the last piece of the request to the first of the response.
    """
    given = b""
    hosts: list[bytes] = []
    proxied = False
    for name, value in scope["headers"]:
        if name == b"host":
            hosts.append(value)
        elif name == b"x-request-id":
            given = value
        elif name in _PROXY_HEADERS or name.startswith(b"x-forwarded-"):
            proxied = True
    current = given.decode() if given and _WELL_FORMED.fullmatch(given) else str(uuid7())
    request_id.set(current)
    stamped = _stamped(send, (b"x-request-id", current.encode()), scope, observe)
    if log:
        stamped = _logged(stamped, scope)
    if len(hosts) > 1:
        # A proxy in front may have looked at the other one (RFC 9112, 3.2).
        await _refuse(stamped, Malformed("There is more than one Host"))
        return
    if local and (proxied or not is_local((scope["client"] or ("",))[0], b"".join(hosts))):
        await _refuse(stamped, Forbidden(_REFUSED))
        return
    if scope["method"] == "HEAD":
        scope["method"] = "GET"
        stamped = _without_body(stamped)
    if scope["method"] == "GET":
        # There is no body to wait for, and whatever reads has a limit of its own.
        await app(scope, receive, stamped)
        return
    try:
        async with asyncio.timeout(limit) as clock:
            incoming = Incoming(receive, clock, limit)
            await app(scope, incoming.receive, _answering(stamped, incoming, clock))
    except TimeoutError as error:
        if not clock.expired():
            raise
        report(_LATE, error, method=scope["method"], path=scope["path"])
        await _refuse(stamped, _LATE)


@lru_cache(256)
def is_local(client: str, host: bytes) -> bool:
    """Whether a client address and a Host header both name this machine; the latter stops DNS rebinding."""
    try:
        address = ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback) and _LOCAL_HOST.fullmatch(host) is not None


def _stamped(send: Send, stamp: tuple[bytes, bytes], scope: HTTPScope, observe: Observe) -> Send:
    began, method = time.perf_counter(), scope["method"]

    # Not a coroutine of its own: it hands on the one that it gets.
    def stamped(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], stamp]
            observe(method, scope.get("path_template"), message["status"], time.perf_counter() - began)
        return send(message)

    return cast("Send", stamped)


def _without_body(send: Send) -> Send:
    def headed(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.body":
            message["body"] = b""
        return send(message)

    return cast("Send", headed)


def _answering(send: Send, incoming: Incoming, clock: asyncio.Timeout) -> Send:
    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            if not clock.expired():
                clock.reschedule(None)
            await incoming.drain()
        await send(message)

    return answering


def _logged(send: Send, scope: HTTPScope) -> Send:
    began, method, path = time.perf_counter(), scope["method"], scope["path"]

    def logged(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            milliseconds = round((time.perf_counter() - began) * 1e3, 1)
            _log.info("request", method=method, path=path, status=message["status"], ms=milliseconds)
        return send(message)

    return cast("Send", logged)


async def _refuse(send: Send, problem: Problem) -> None:
    body = problem_body(problem)
    headers = {
        "content-type": PROBLEM_JSON,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **{name.lower(): value for name, value in problem.headers.items()},
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})
