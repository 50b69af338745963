"""Pagination: what every list understands, and a page of one, by number or by cursor."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

T = TypeVar("T")

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


def make_page(items: list[T], *, total: int, query: ListQuery) -> Page[T]:
    """Wrap one page of `total` rows."""
    return Page(items, total, query.number, query.size, -(-total // query.size))
