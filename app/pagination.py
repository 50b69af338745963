"""Pagination: query parameters in; an envelope, a `Link` header and an opaque cursor out."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from app.checks import check
from app.problems import FieldError, Invalid

T = TypeVar("T")
Q = TypeVar("Q", bound="ListQuery")

LARGEST_BIGINT = 2**63 - 1


class ListQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """What every list understands."""

    page: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    """The page, counted from 1, in page mode."""
    size: Annotated[int, Meta(ge=1, le=100)] = 20
    """Items on a page."""
    cursor: Annotated[str, Meta(max_length=2_000)] | UnsetType = UNSET
    """`next_cursor` of the page before; empty starts from the beginning. Chooses cursor mode."""
    sort: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    """Keys in order, a minus sign for descending, as in `name,-created_at`."""

    @property
    def by_page(self) -> bool:
        return self.cursor is UNSET

    @property
    def number(self) -> int:
        return 1 if self.page is UNSET else self.page

    @property
    def offset(self) -> int:
        """Rows before the page, at most so many that adding to them stays within a bigint."""
        return min((self.number - 1) * self.size, LARGEST_BIGINT // 2)


class Page(Struct, Generic[T], frozen=True):
    items: list[T]
    total: int
    page: int
    size: int
    pages: int


class CursorPage(Struct, Generic[T], frozen=True):
    items: list[T]
    size: int
    next_cursor: str | None


def parse_query(kind: type[Q], query_string: bytes) -> Q:
    """Read a list's parameters. Raises: Invalid."""
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    given = dict(pairs)
    made, wrong = check(kind, given, strict=False)
    if len(given) < len(pairs):
        names = [name for name, _ in pairs]
        wrong |= {name: "given more than once" for name in names if names.count(name) > 1}
    if made is not None and made.cursor is not UNSET and made.page is not UNSET:
        wrong["cursor"] = "cannot be combined with page"
    if wrong or made is None:
        unknown = all(detail == "unknown" for detail in wrong.values())
        raise Invalid(
            [FieldError(detail, parameter=name) for name, detail in wrong.items()],
            code="unknown_parameter" if unknown else None,
        )
    return made


def make_page(items: list[T], *, total: int, query: ListQuery) -> Page[T]:
    """Wrap one page of `total` rows."""
    return Page(items, total, query.number, query.size, -(-total // query.size))


def link_header(path: str, query_string: bytes, result: Page[Any] | CursorPage[Any]) -> str:
    """Name the neighbours of a page (RFC 8288); empty where there are none."""
    pairs = parse_qsl(query_string.decode("latin-1"))
    kept = urlencode([(name, value) for name, value in pairs if name not in ("page", "cursor")])
    start = f"<{path}?{kept}{'&' if kept else ''}"
    links: list[tuple[str, str, int | str]] = []
    if isinstance(result, CursorPage):
        if result.next_cursor:
            links = [("next", "cursor", result.next_cursor)]
    else:
        last = max(result.pages, 1)
        links = [("first", "page", 1), ("last", "page", last)]
        if result.page > 1:
            links.append(("prev", "page", min(result.page - 1, last)))
        if result.page < result.pages:
            links.append(("next", "page", result.page + 1))
    # Neither a number nor a cursor needs to be quoted.
    return ", ".join(f'{start}{name}={value}>; rel="{rel}"' for rel, name, value in links)


def encode_cursor(values: Sequence[Any], bound_to: Iterable[Any]) -> str:
    """Pack the sort keys of the last row, with a check sum that also covers the sort and the filters."""
    payload = msgspec.msgpack.encode(values)
    return _text(_check_sum(payload, bound_to) + payload)


def decode_cursor(cursor: str, kinds: Sequence[type], bound_to: Iterable[Any]) -> list[Any]:
    """Unpack a cursor into values of `kinds`. Raises: Invalid, for one that is damaged or was made otherwise."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        payload = raw[8:]
        if raw[:8] != _check_sum(payload, bound_to) or _text(raw) != cursor:
            raise ValueError
        return list(msgspec.msgpack.decode(payload, type=tuple[tuple(kinds)]))  # type: ignore[misc]
    except (ValueError, msgspec.DecodeError):
        raise Invalid([FieldError("not a cursor of this list", parameter="cursor")], code="invalid_cursor") from None


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _check_sum(payload: bytes, bound_to: Iterable[Any]) -> bytes:
    return blake2b(payload, digest_size=8, key=blake2b(repr(list(bound_to)).encode()).digest()).digest()
