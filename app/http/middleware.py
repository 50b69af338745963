"""Middleware: a request id, who may call, and HEAD, before Litestar sees a request."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from litestar import Request
from uuid_utils import uuid7

from app.http.access import _PROXY_HEADERS, _REFUSED, is_host, is_local
from app.http.exception_handlers import explain
from app.http.problem_details import problem_response
from app.http.request_body import Incoming
from app.logs import request_id
from app.problems import Forbidden, Malformed

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

_log = structlog.get_logger("app.requests")
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,128}")

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
    outgoing = Outgoing(send, scope, current, observe, log)
    try:
        if len(hosts) > 1:
            # A proxy in front may have looked at the other one (RFC 9112, 3.2).
            raise Malformed("There is more than one Host")
        host = b"".join(hosts)
        if local:
            if proxied or not is_local((scope["client"] or ("",))[0], host):
                raise Forbidden(_REFUSED)
        elif not is_host(host):
            raise Malformed("The Host header cannot be parsed")
        if scope["method"] == "HEAD":
            scope["method"] = "GET"
        if scope["method"] == "GET":
            # There is no body to wait for, and whatever reads has a limit of its own.
            await app(scope, receive, outgoing.send)
        else:
            async with asyncio.timeout(limit) as clock:
                incoming = Incoming(receive, clock, limit)
                await app(scope, incoming.receive, incoming.drained_before(outgoing.send))
    except Exception as error:
        # The last net: whatever the framework or its handler of errors lets out, the client gets a problem, unless an
        # answer has begun; then only the end of the connection can tell that it is not whole.
        problem = explain(error, scope)
        if outgoing.begun:
            raise
        response = problem_response(problem).to_asgi_response(None, Request(scope))
        await response(scope, receive, outgoing.send)


class Outgoing:
    """An answer on its way: stamped with the request id, counted when it begins, without a body for HEAD."""

    __slots__ = ("_began_at", "_logged_path", "_method", "_observe", "_scope", "_send", "_stamp", "begun")

    def __init__(self, send: Send, scope: HTTPScope, stamp: str, observe: Observe, log: bool) -> None:
        self.begun = False
        self._send = send
        self._scope = scope
        self._method = scope["method"]
        self._logged_path = scope["path"] if log else None
        self._stamp = stamp
        self._observe = observe
        self._began_at = time.perf_counter()

    # Not a coroutine of its own: it hands on the one that it gets.
    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.begun = True
            message["headers"] = [*message["headers"], (b"x-request-id", self._stamp.encode())]
            seconds, method, status = time.perf_counter() - self._began_at, self._method, message["status"]
            self._observe(method, self._scope.get("path_template"), status, seconds)
            if (path := self._logged_path) is not None:
                _log.info("request", method=method, path=path, status=status, ms=round(seconds * 1e3, 1))
        elif self._method == "HEAD" and message["type"] == "http.response.body":
            message["body"] = b""
        return self._send(message)
