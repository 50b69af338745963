"""CORS: pages of which origins may call from a browser, and what they may see."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.config.cors import CORSConfig
from litestar.middleware._internal.cors import CORSMiddleware
from litestar.types import HTTPScope, Receive, Scope, Send

from app.problems import Forbidden

_SHOWN = ["ETag", "Link", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "WWW-Authenticate"]
_SHOWN += ["Idempotency-Replayed", "X-Request-Id"]


def configure_cors(origins: Sequence[str]) -> CORSConfig | None:
    return CORSConfig(allow_origins=[*origins], expose_headers=_SHOWN) if origins else None


def refuse_other_pages(config: CORSConfig, scope: HTTPScope) -> None:
    """Have a problem where the framework has a text of its own. Raises: Forbidden."""
    if scope["method"] == "OPTIONS" and (origin := _origin(scope)) and not config.is_origin_allowed(origin):
        raise Forbidden("CORS_ORIGINS does not name this Origin")


def open_to_pages(config: CORSConfig, scope: HTTPScope, send: Send) -> Send:
    """Let a page read what the framework has not sent: the refusals of the middleware."""
    origin = _origin(scope)
    return send if origin is None else CORSMiddleware(_nothing, config).send_wrapper(send, origin, has_cookie=False)


def _origin(scope: HTTPScope) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing is behind it."""
