"""Responses: what every resource answers alike, as bytes from the start."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.types import HTTPResponseStartEvent, Receive, Scope, Send

from app.http.etags import etag
from app.http.pagination import link_header
from app.repository.schemas import CursorPage, Page

T = TypeVar("T")

PRIVATE = (b"cache-control", b"private, no-cache")
"""A client may keep what it read, and must ask before it uses it again."""
NO_STORE = (b"cache-control", b"no-store")

_encode = msgspec.json.Encoder().encode


class JsonResponse(Response[T]):
    """A JSON response whose bytes and headers are settled when the handler returns.

    Litestar would merge the headers of its layers and render by media type; none of that happens here, which
    takes a quarter off the framework's share of a request.
    """

    def __init__(self, content: T, *, status_code: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Unlike its parent it keeps no content; without one (None) there is no body."""
        self.status_code = status_code
        self._body = b"" if content is None else _encode(content)
        described = (
            ((b"content-type", b"application/json"), (b"content-length", str(len(self._body)).encode()))
            if self._body
            else ()
        )
        self._headers = [*headers, *described]

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": self.status_code or 200,
            "headers": self._headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def versioned(content: T, version: int, *headers: tuple[bytes, bytes], status_code: int = 200) -> JsonResponse[T]:
    """One resource, with the ETag of its version."""
    return JsonResponse(content, status_code=status_code, headers=((b"etag", etag(version)), *headers))


def created(content: T, version: int, location: str) -> JsonResponse[T]:
    """A new resource, and where it is."""
    return versioned(content, version, (b"location", location.encode()), status_code=201)


def not_modified(version: int) -> JsonResponse[Any]:
    """The client has this version already."""
    return JsonResponse(None, status_code=304, headers=((b"etag", etag(version)), PRIVATE))


def listed(result: Page[T] | CursorPage[T], request: Request[Any, Any, Any]) -> JsonResponse[Page[T] | CursorPage[T]]:
    """A list, with links to its neighbours."""
    link = link_header(request.scope["path"], request.scope["query_string"], result)
    return JsonResponse(result, headers=(PRIVATE, *(((b"link", link.encode()),) if link else ())))
