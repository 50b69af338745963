"""Pagination: the query string of a list in, a `Link` header out."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlencode

from msgspec import UNSET

from app.problems import FieldError, Invalid, Malformed
from app.repository.schemas import CursorPage, ListQuery, Page
from app.validation.pointers import shortened
from app.validation.validator import check

Q = TypeVar("Q", bound="ListQuery")
_MOST_PARAMETERS = 100
_REMEMBERED = 512
"""Query strings."""
_LONGEST_LINK = 2_000
"""Bytes that proxies let pass beside other headers."""


def parse_query(kind: type[Q], query_string: bytes) -> Q:
    """Read a list's parameters. Raises: Malformed, Invalid."""
    return cast("Q", _parse_query(kind, query_string))


@lru_cache(_REMEMBERED)
def _parse_query(kind: type[ListQuery], query_string: bytes) -> ListQuery:
    pairs = _parse_pairs(query_string)
    query, errors = check(kind, dict(pairs), strict=False)
    if len(counts := Counter(name for name, _ in pairs)) < len(pairs):
        errors |= {name: "given more than once" for name, count in counts.items() if count > 1}
    if query is not None and query.cursor is not UNSET and query.page is not UNSET:
        errors["cursor"] = "cannot be combined with page"
    if errors or query is None:
        unknown = all(detail == "unknown" for detail in errors.values())
        raise Invalid(
            [FieldError(detail, parameter=shortened(name)) for name, detail in errors.items()],
            code="unknown_parameter" if unknown else None,
        )
    return query


def _parse_pairs(query_string: bytes) -> list[tuple[str, str]]:
    """Raises: Malformed, Invalid."""
    try:
        text = query_string.decode()
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except UnicodeDecodeError:
        raise Malformed("The query is not valid UTF-8") from None
    except ValueError:
        raise Invalid([FieldError(f"at most {_MOST_PARAMETERS} parameters")]) from None


def link_header(path: str, query_string: bytes, result: Page[Any] | CursorPage[Any]) -> str:
    """Name the neighbours of a page (RFC 8288) as far as they fit; empty where there are none."""
    others = _encode_others(b"&".join(part for part in query_string.split(b"&") if not _names_a_page(part)))
    start = f"<{path}?{others}"
    links = _neighbours(result)
    # Neither a number nor a cursor needs to be quoted.
    header = ", ".join(f'{start}{name}={value}>; rel="{rel}"' for rel, name, value in links)
    return header if len(header) <= _LONGEST_LINK else header[: max(header.rfind(", <", 0, _LONGEST_LINK + 2), 0)]


_names_a_page = re.compile(rb"(?:page|cursor)(?:=|\Z)").match


@lru_cache(_REMEMBERED)
def _encode_others(query_string: bytes) -> str:
    others = urlencode([pair for pair in _parse_pairs(query_string) if pair[0] not in ("page", "cursor")])
    return f"{others}&" if others else ""


def _neighbours(result: Page[Any] | CursorPage[Any]) -> list[tuple[str, str, int | str]]:
    """Those that a client wants first come first."""
    if isinstance(result, CursorPage):
        return [("next", "cursor", result.next_cursor)] if result.next_cursor else []
    last = max(result.pages, 1)
    links: list[tuple[str, str, int | str]] = [("first", "page", 1), ("last", "page", last)]
    if result.page > 1:
        links.insert(0, ("prev", "page", min(result.page - 1, last)))
    if result.page < result.pages:
        links.insert(0, ("next", "page", result.page + 1))
    return links
