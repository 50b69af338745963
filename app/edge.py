"""The edge: a request id, who may call, and HEAD, before Litestar sees a request."""

from __future__ import annotations

import re
import time
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import structlog
from uuid_utils import uuid7

from app.errors import PROBLEM_JSON, problem_body
from app.logs import request_id
from app.problems import Forbidden

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

_log = structlog.get_logger("app.requests")
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_LOCAL_HOST = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_PROXY_HEADERS = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"})
_REFUSED = "ACCESS=local serves this machine only; set ACCESS=open behind a gateway that authenticates"


async def serve(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send, *, local: bool, log: bool) -> None:
    """Run `app` for one request. `local` turns away whoever is not on this machine; `log` logs a line for each."""
    given = host = b""
    proxied = False
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value
        elif name == b"host":
            host = value
        elif name in _PROXY_HEADERS:
            proxied = True
    current = given.decode() if _WELL_FORMED.fullmatch(given) else str(uuid7())
    request_id.set(current)
    send = _stamped(send, current.encode(), head=scope["method"] == "HEAD", log=_line(scope) if log else None)

    if local and (proxied or not is_local((scope["client"] or ("",))[0], host.decode("latin-1"))):
        await _refuse(send)
        return
    if scope["method"] == "HEAD":
        scope["method"] = "GET"
    await app(scope, receive, send)


@lru_cache(256)
def is_local(client: str, host: str) -> bool:
    """Whether a client address and a Host header both name this machine; the latter stops DNS rebinding."""
    try:
        address = ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback) and _LOCAL_HOST.fullmatch(host) is not None


def _stamped(send: Send, stamp: bytes, *, head: bool, log: Any) -> Send:
    async def stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", stamp)]
            if log is not None:
                log(message["status"])
        elif head and message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return stamped


def _line(scope: HTTPScope) -> Any:
    began, method, path = time.perf_counter(), scope["method"], scope["path"]

    def log(status: int) -> None:
        _log.info("request", method=method, path=path, status=status, ms=round((time.perf_counter() - began) * 1e3, 1))

    return log


async def _refuse(send: Send) -> None:
    body = problem_body(Forbidden(_REFUSED))
    headers = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
