"""Listing: one resource's lists, filtered and sorted, by page and by cursor, a statement for each shape."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from msgspec import UNSET
from sqlalchemy.types import NullType

from app.database.model import Model
from app.problems import FieldError, Invalid
from app.repository.columns import Sortable, may_be_null
from app.repository.cursors import decode_cursor, encode_cursor, key_type
from app.repository.filters import Filter, among
from app.repository.reader import Reader, Rendered, render
from app.repository.schemas import CursorPage, Item, ListQuery, Page, make_page
from app.repository.statements import Shape, cursor_page, deep_page, page
from app.validation.inspection import fields_of

T = TypeVar("T", bound=Item)

DEEP = 500
"""Rows to skip from which on a page is looked for among the keys alone, and from the nearer end of the table."""


class Listing(Generic[T]):
    """The lists of `model` as `item` Structs."""

    def __init__(
        self,
        model: type[Model],
        item: type[T],
        query: type[ListQuery],
        *,
        sort: Sequence[Sortable],
        filters: Sequence[Filter] = (),
        order: str = "id",
    ) -> None:
        """A list can be sorted by the id and by `sort`, whose names are its columns' or labels'; `order` is the sort
        where a query has none. There is one filter for each field of `query`, besides `id`. Raises: TypeError."""
        names = [one.name for one in filters]
        fields = [name for name in query.__struct_fields__ if name not in ListQuery.__struct_fields__]
        if sorted(names) != sorted(fields):
            raise TypeError(f"{query.__name__} has the fields {sorted(fields)}, but the filters are {sorted(names)}")
        fields_of(query)
        self.query = query
        self._model = model
        model.metadata.tables[str(model.__tablename__)].info["counted"] = True
        self._item = item
        self.sortable = {"id": model.id} | {str(key.key): getattr(key, "element", key) for key in sort}
        self._kinds = {name: _key_type(key) for name, key in self.sortable.items()}
        self._order = order
        self._filters = {one.name: one for one in (among("id", model.id), *filters)}
        self._rendered = lru_cache(512)(self._render)
        self._sorts = lru_cache(512)(self._parse_sort)
        self._sorts(order)

    async def select(self, reader: Reader, query: ListQuery) -> Page[T] | CursorPage[T]:
        """The page that a query asks for, or what is after its cursor. Raises: Invalid."""
        return await (self.page(reader, query) if query.by_page else self.after(reader, query))

    async def page(self, reader: Reader, query: ListQuery) -> Page[T]:
        """One page and the total, from one snapshot. Raises: Invalid."""
        records = await reader.records(*self.prepare(query))
        items = [self._item(*record[1:]) for record in records if record[1] is not None]
        return make_page(items, total=records[0][0], query=query)

    async def after(self, reader: Reader, query: ListQuery) -> CursorPage[T]:
        """The rows after the cursor. Costs the same wherever it points. Raises: Invalid."""
        records = await reader.records(*self.prepare(query))
        width = len(self._item.__struct_fields__)
        items = [self._item(*record[:width]) for record in records[: query.size]]
        if len(records) <= query.size:
            return CursorPage(items, query.size, None)
        last = tuple(records[query.size - 1])[width:]
        return CursorPage(items, query.size, encode_cursor(last, self._bound_to(query)))

    def prepare(self, query: ListQuery) -> tuple[Rendered, dict[str, Any]]:
        """The statement that answers a query, and its values. Raises: Invalid."""
        keys, values = self._sort(query), self._given(query)
        filters = tuple(values)
        if query.by_page:
            kind = "deep" if query.offset >= DEEP and not filters else "page"
            return self._rendered(kind, keys, filters), {**values, "size": query.size, "offset": query.offset}
        # One more than is shown tells whether there is a next page.
        values["size"] = query.size + 1
        if not query.cursor:
            return self._rendered("first", keys, filters), values
        found = decode_cursor(str(query.cursor), [self._kinds[name] for name, _ in keys], self._bound_to(query))
        after = {name: value for (name, _), value in zip(keys, found, strict=True)}
        nulls = frozenset(name for name, value in after.items() if value is None)
        values |= {f"after_{name}": value for name, value in after.items()}
        return self._rendered("next", keys, filters, nulls), values

    def _bound_to(self, query: ListQuery) -> list[Any]:
        """What a cursor belongs to: it means nothing in another order or among other rows."""
        return [self._model.__tablename__, self._sort(query), sorted(self._given(query).items())]

    def _sort(self, query: ListQuery) -> tuple[tuple[str, bool], ...]:
        return self._sorts(self._order if query.sort is UNSET else query.sort)

    def _parse_sort(self, text: str) -> tuple[tuple[str, bool], ...]:
        """(key, whether it descends), ending in the id, which runs like its neighbour so that one index serves both."""
        keys: dict[str, bool] = {}
        for given in text.split(","):
            name = given.removeprefix("-")
            if name not in self.sortable or name in keys or "id" in keys:
                detail = f"must be keys of {', '.join(self.sortable)}, each once and id last, with - to descend"
                raise Invalid([FieldError(detail, parameter="sort")])
            keys[name] = given.startswith("-")
        keys.setdefault("id", list(keys.values())[-1])
        return tuple(keys.items())

    def _given(self, query: ListQuery) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, one in self._filters.items():
            if (value := getattr(query, name)) is not UNSET:
                try:
                    given[name] = one.adapt(value)
                except ValueError as error:
                    raise Invalid([FieldError(str(error), parameter=name)]) from None
        return given

    def _render(
        self,
        kind: str,
        keys: tuple[tuple[str, bool], ...],
        filters: tuple[str, ...],
        nulls: frozenset[str] = frozenset(),
    ) -> Rendered:
        shape = Shape(
            model=self._model,
            fields=self._item.__struct_fields__,
            keys=tuple((name, self.sortable[name], down) for name, down in keys),
            conditions=tuple(self._filters[name].condition for name in filters),
        )
        if kind in ("first", "next"):
            return render(cursor_page(shape, after=nulls if kind == "next" else None))
        return render(deep_page(shape) if kind == "deep" else page(shape))


def _key_type(key: Sortable) -> Any:
    """Raises: TypeError."""
    if isinstance(key.type, NullType):
        raise TypeError(f"{key} needs a type beside its foreign key")
    return key_type(key.type.python_type, nullable=may_be_null(key))
