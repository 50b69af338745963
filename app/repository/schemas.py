"""Schemas: what those of every resource are made of: bodies in, items out, queries and pages of lists."""

from __future__ import annotations

from typing import Annotated, ClassVar, Generic, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

T = TypeVar("T")

LARGEST_BIGINT = 2**63 - 1


class Body(Struct, forbid_unknown_fields=True):
    """What a client sends. It refuses fields that it does not know."""

    fixed: ClassVar[frozenset[str]] = frozenset({"id"})
    """Fields that there are, but not to be set here: of them a client is told so."""
    secret: ClassVar[frozenset[str]] = frozenset()
    """Fields that no `repr` shows, and no digest is kept of: they are not compared when a request is sent again."""

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in self.secret]
        return f"{type(self).__name__}({', '.join(shown)})"


class Item(Struct, frozen=True):
    """What a client gets: of its fields, each a column, one SELECT is made."""

    id: int


class Caller(Struct, frozen=True):
    """Who calls, with what their session and their own row say at this moment."""

    session_id: int
    id: int
    name: str
    email: str
    version: int
    is_admin: bool


class ListQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """What every list understands; a field's description is the parameter's in the document."""

    page: Annotated[int, Meta(ge=1, description="The page, counted from 1 (page mode, the default)")] | UnsetType = (
        UNSET
    )
    size: Annotated[int, Meta(ge=1, le=100, description="Items on a page")] = 20
    cursor: (
        Annotated[
            str,
            Meta(
                max_length=2_000,
                description="`next_cursor` of the page before, empty to begin (cursor mode); not together with `page`",
            ),
        ]
        | UnsetType
    ) = UNSET
    sort: (
        Annotated[
            str,
            Meta(
                max_length=100,
                description="Keys in order, each once and `id` last; a minus sign to descend: `name,-created_at`",
            ),
        ]
        | UnsetType
    ) = UNSET

    id: (
        Annotated[
            list[Annotated[int, Meta(ge=0, le=LARGEST_BIGINT)]],
            Meta(min_length=1, max_length=100, description="These ids, separated by commas; unknown ones are left out"),
        ]
        | UnsetType
    ) = UNSET

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


class Stored(Struct, Generic[T], frozen=True):
    """An item and the version that its ETag names."""

    item: T
    version: int


class BulkCreated(Struct, frozen=True):
    created: int


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
