"""Middleware: a request id, who may call, and HEAD, before Litestar sees a request."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import structlog
from litestar import Request
from structlog.contextvars import bind_contextvars
from uuid_utils import uuid7

from app.http.access import PROXY_HEADERS, check
from app.http.cors import open_to_pages, refuse_other_pages
from app.http.exception_handlers import logged_problem
from app.http.mounting import mount
from app.http.problem_details import problem_response
from app.http.request_body import RequestBody
from app.problems import TooSlow

if TYPE_CHECKING:
    from litestar.config.cors import CORSConfig
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

_log = structlog.get_logger("app.requests")
_is_id = re.compile(rb"[!#-&(-+\--;=?-\[\]^_a-z|~]{1,128}").fullmatch

_NOSNIFF = (b"x-content-type-options", b"nosniff")

Observer = Callable[[str, str | None, int, float], None]
"""Is told of each answer: method, route, status and the seconds until it started."""


async def handle_request(
    app: ASGIApp,
    scope: HTTPScope,
    receive: Receive,
    send: Send,
    *,
    local: bool,
    log: bool,
    limit: float,
    prefix: str,
    observe: Observer,
    cors: CORSConfig | None,
) -> None:
    """Run `app` for one request.

    `local` turns away whoever is not on this machine; `log` logs a line for each; `limit` is in seconds, for what
    writes: from the last piece of the request to the first of the response; `prefix` is what a proxy takes off paths.
    """
    current_id, hosts, proxied = _read(scope["headers"])
    bind_contextvars(request_id=current_id)
    sender = ResponseSender(send, scope, current_id, observe, log)
    body: RequestBody | None = None
    try:
        if prefix or scope["root_path"]:
            mount(scope, prefix)
        if scope["method"] == "HEAD":
            scope["method"] = "GET"
        if scope["method"] == "GET":
            check(scope, hosts, local=local, proxied=proxied)
            # There is no body to wait for, and whatever reads has a limit of its own.
            await app(scope, receive, sender.send)
        else:
            async with asyncio.timeout(limit) as clock:
                body = RequestBody(scope, receive, clock, limit)
                check(scope, hosts, local=local, proxied=proxied)
                if cors:
                    refuse_other_pages(cors, scope)
                await app(scope, body.receive, _answering(sender.send, body, clock))
    except Exception as error:
        # The last net: whatever the framework or its handler of errors lets out, the client gets a problem, unless an
        # answer has begun; then only the end of the connection can tell that it is not whole.
        problem = logged_problem(TooSlow() if body and body.is_late else error, scope)
        if sender.started:
            raise
        if body:
            await body.drain()
        response = problem_response(problem).to_asgi_response(None, Request(scope))
        await response(scope, receive, open_to_pages(cors, scope, sender.send) if cors else sender.send)


def _read(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, list[bytes], bool]:
    """The id of a request, its hosts, and whether a proxy has passed it on."""
    ids: list[bytes] = []
    hosts: list[bytes] = []
    proxied = False
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"x-request-id":
            ids.append(value)
        elif name in PROXY_HEADERS or name.startswith(b"x-forwarded-"):
            proxied = True
    client_id = b",".join(ids)
    return client_id.decode() if client_id and _is_id(client_id) else str(uuid7()), hosts, proxied


class ResponseSender:
    """An answer on its way: stamped with the request id, counted when it begins, without a body for HEAD."""

    __slots__ = ("_logged_path", "_method", "_observe", "_request_id", "_scope", "_send", "_started_at", "started")

    def __init__(self, send: Send, scope: HTTPScope, current_id: str, observe: Observer, log: bool) -> None:
        self.started = False
        self._send = send
        self._scope = scope
        self._method = scope["method"]
        self._logged_path = scope["path"] if log else None
        self._request_id = current_id
        self._observe = observe
        self._started_at = time.perf_counter()

    # Not a coroutine of its own: it hands on the one that it gets.
    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.started = True
            headers = [*message["headers"], (b"x-request-id", self._request_id.encode()), _NOSNIFF]
            if "caller" in self._scope:
                headers.append((b"vary", b"authorization"))
            message["headers"] = headers
            seconds, method, status = time.perf_counter() - self._started_at, self._method, message["status"]
            self._observe(method, self._scope.get("path_template"), status, seconds)
            if (path := self._logged_path) is not None:
                _log.info("request", method=method, path=path, status=status, ms=round(seconds * 1e3, 1))
        elif self._method == "HEAD" and message["type"] == "http.response.body":
            message["body"] = b""
        return self._send(message)


def _answering(send: Send, body: RequestBody, clock: asyncio.Timeout) -> Send:
    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            if not clock.expired():
                clock.reschedule(None)
            await body.drain()
        await send(message)

    return answering
