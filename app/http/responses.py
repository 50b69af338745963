"""Responses: what every resource answers alike, as bytes from the start."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec
from litestar import Response
from litestar.types import HTTPResponseStartEvent, Receive, Scope, Send

from app.http.dependencies import AnyRequest
from app.http.etags import is_not_modified
from app.http.mounting import public
from app.http.pagination import link_header
from app.repository.repeats import Answer
from app.repository.schemas import CursorPage, Item, Page, Stored

I = TypeVar("I", bound=Item)  # noqa: E741  # an item
T = TypeVar("T")

PRIVATE = (b"cache-control", b"private, no-cache")
"""A client may keep what it read, and must ask before it uses it again."""
NO_STORE = (b"cache-control", b"no-store")

_encode = msgspec.json.Encoder().encode
_last: tuple[Any, bytes] = None, b""


def _encoded(content: Any) -> bytes:
    """Those who shared a read come with the very same page, one after another: it is encoded for the first of them."""
    global _last
    if not isinstance(content, Page | CursorPage):
        return _encode(content)
    if content is not _last[0]:
        _last = content, _encode(content)
    return _last[1]


class JsonResponse(Response[T]):
    """A JSON response whose bytes and headers are settled when the handler returns.

    Litestar would merge the headers of its layers and render by media type; none of that happens here, which
    takes a quarter off the framework's share of a request.
    """

    def __init__(
        self,
        content: T,
        *,
        status_code: int = 200,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        location: str | None = None,
    ) -> None:
        """Unlike its parent it keeps no content; without one (None) there is no body."""
        self.status_code = status_code
        self._body = b"" if content is None else _encoded(content)
        self._headers = [*headers]
        self._location = location
        if self._body:
            length = str(len(self._body)).encode()
            self._headers += [(b"content-type", b"application/json"), (b"content-length", length)]

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._location is not None:
            self._headers.append((b"location", public(scope, self._location).encode()))
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": self.status_code or 200,
            "headers": self._headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def created(stored: Stored[I], path: str) -> JsonResponse[I]:
    """A new item of the collection at `path`, and where it is."""
    return JsonResponse(stored.item, status_code=201, headers=(_etag(stored),), location=f"{path}/{stored.item.id}")


def found(stored: Stored[T], request: AnyRequest) -> JsonResponse[T]:
    """An item, or that the client has this version already."""
    if is_not_modified(request, stored.version):
        return JsonResponse(cast("Any", None), status_code=304, headers=(_etag(stored), PRIVATE))
    return JsonResponse(stored.item, headers=(_etag(stored), PRIVATE))


def changed(stored: Stored[T]) -> JsonResponse[T]:
    """An item as it is now."""
    return JsonResponse(stored.item, headers=(_etag(stored),))


def listed(result: Page[T] | CursorPage[T], request: AnyRequest) -> JsonResponse[Page[T] | CursorPage[T]]:
    """A list, with links to its neighbours."""
    link = link_header(public(request.scope, request.scope["path"]), request.scope["query_string"], result)
    return JsonResponse(result, headers=(PRIVATE, *(((b"link", link.encode()),) if link else ())))


def _etag(stored: Stored[Any]) -> tuple[bytes, bytes]:
    return b"etag", b'"%d"' % stored.version


def answer_of(response: JsonResponse[Any], fingerprint: bytes) -> Answer:
    """What is kept of a response, to be sent again."""
    tag = next((value for name, value in response._headers if name == b"etag"), None)
    return Answer(fingerprint, response.status_code or 200, response._location, tag, response._body)


def replayed(answer: Answer) -> JsonResponse[Any]:
    """The same again."""
    tag = () if answer.etag is None else ((b"etag", answer.etag),)
    headers = (*tag, (b"idempotency-replayed", b"true"))
    body = msgspec.Raw(answer.body)
    return JsonResponse(body, status_code=answer.status, headers=headers, location=answer.location)
