"""Answers: the responses that every resource gives alike."""

from __future__ import annotations

from typing import Any, TypeVar

from litestar import Request, Response

from app.conditions import etag
from app.pagination import CursorPage, Page, link_header

T = TypeVar("T")

NO_STORE = {"Cache-Control": "no-store"}

PRIVATE = {"Cache-Control": "private, no-cache"}
"""A client may keep what it read, and must ask before it uses it again."""


def versioned(
    content: T, version: int, *, status_code: int = 200, headers: dict[str, str] | None = None
) -> Response[T]:
    """One resource, with the ETag of its version."""
    return Response(content, status_code=status_code, headers={"ETag": etag(version), **(headers or {})})


def not_modified(version: int) -> Response[Any]:
    """The client has this version already."""
    return Response(None, status_code=304, headers={"ETag": etag(version), **PRIVATE})


def listed(result: Page[T] | CursorPage[T], request: Request[Any, Any, Any]) -> Response[Page[T] | CursorPage[T]]:
    """A list, with links to its neighbours."""
    link = link_header(request.scope["path"], request.scope["query_string"], result)
    return Response(result, headers={**PRIVATE, **({"Link": link} if link else {})})
