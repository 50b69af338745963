"""Conditions: strong ETags of an integer version, `If-Match` and `If-None-Match` (RFC 9110)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from litestar import Request
from litestar.params import HeaderParameter

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", description="Change only this version (an ETag)")]

_TAG = re.compile(r'(?P<weak>W/)?"(?P<text>[^"]*)"')


def etag(version: int) -> bytes:
    """The strong tag of a version."""
    return b'"%d"' % version


def header(request: Request[Any, Any, Any], name: bytes) -> str | None:
    """A header, read as it came: Litestar would index all of them first. Several lines count as one list."""
    values = [value.decode("latin-1") for key, value in request.scope["headers"] if key == name]
    return ", ".join(values) if values else None


def expected_versions(if_match: str | None) -> frozenset[int] | None:
    """The versions that `If-Match` accepts; None when it accepts any. A weak tag never matches."""
    if if_match is None or if_match.strip() == "*":
        return None
    strong = (tag["text"] for tag in _TAG.finditer(if_match) if not tag["weak"])
    return frozenset(int(text) for text in strong if text.isascii() and text.isdecimal() and len(text) < 20)


def is_fresh(if_none_match: str | None, version: int) -> bool:
    """Whether the client already has this version. Comparison is weak here: W/ makes no difference."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return any(tag["text"] == str(version) for tag in _TAG.finditer(if_none_match))
