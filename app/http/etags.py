"""Conditions: strong ETags of an integer version, `If-Match` and `If-None-Match` (RFC 9110)."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request

_TAG = re.compile(r'(?P<weak>W/)?"(?P<text>[^"]*)"')


def etag(version: int) -> bytes:
    return b'"%d"' % version


def header(request: Request[Any, Any, Any], name: bytes) -> str | None:
    """A header, read as it came: of several lines, which count as one list, Litestar would give the first."""
    values = [value.decode("latin-1") for key, value in request.scope["headers"] if key == name]
    return ", ".join(values) if values else None


def expected_versions(request: Request[Any, Any, Any]) -> frozenset[int] | None:
    """The versions that `If-Match` accepts; None when it accepts any. A weak tag never matches."""
    if_match = header(request, b"if-match")
    if if_match is None or if_match.strip() == "*":
        return None
    strong = (tag["text"] for tag in _TAG.finditer(if_match) if not tag["weak"])
    return frozenset(int(text) for text in strong if text.isascii() and text.isdecimal() and len(text) < 20)


def is_fresh(request: Request[Any, Any, Any], version: int) -> bool:
    """Whether the client has this version by `If-None-Match`. Comparison is weak here: W/ makes no difference."""
    if_none_match = header(request, b"if-none-match")
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return any(tag["text"] == str(version) for tag in _TAG.finditer(if_none_match))
