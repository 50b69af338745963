"""Listing: one resource's lists, filtered and sorted, by page and by cursor, a statement for each shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET
from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, func, or_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.database import Model
from app.pagination import CursorPage, ListQuery, Page, decode_cursor, encode_cursor, make_page
from app.problems import FieldError, Invalid
from app.reads import Reads, Rendered, render

T = TypeVar("T", bound=msgspec.Struct)

SortKey = tuple[str, bool]
"""A column's name, and whether it descends."""


class Listing(Generic[T]):
    """The lists of `model` as `row` Structs."""

    def __init__(
        self,
        model: type[Model],
        row: type[T],
        *,
        sortable: tuple[str, ...],
        order: str,
        filters: Mapping[str, Callable[[], ColumnElement[bool]]],
    ) -> None:
        """`order` is the sort without `?sort=`; a filter makes its condition from `bindparam(its own name)`."""
        self._model = model
        self._row = row
        self._sortable = sortable
        self._order = order
        self._filters = filters
        self._fields = [getattr(model, name) for name in row.__struct_fields__]
        self._page_statement = lru_cache(256)(self._render_page)
        self._cursor_statement = lru_cache(256)(self._render_cursor)

    async def page(self, reads: Reads, query: ListQuery) -> Page[T]:
        """One page and the total, from one snapshot. Raises: Invalid."""
        keys, values = self._sort(query), self._given(query)
        statement = self._page_statement(keys, tuple(values))
        records = await reads.records(statement, {**values, "size": query.size, "offset": query.offset})
        items = [self._row(*record[1:]) for record in records if record[1] is not None]
        return make_page(items, total=records[0][0], query=query)

    async def after(self, reads: Reads, query: ListQuery) -> CursorPage[T]:
        """The rows after the cursor. Costs the same wherever it points. Raises: Invalid."""
        keys, values = self._sort(query), self._given(query)
        bound_to = [self._model.__tablename__, keys, sorted(values.items())]
        start: dict[str, Any] = {}
        if query.cursor:
            found = decode_cursor(
                str(query.cursor), [self._column(name).type.python_type for name, _ in keys], bound_to
            )
            start = {f"after_{name}": value for (name, _), value in zip(keys, found, strict=True)}
        statement = self._cursor_statement(keys, tuple(values), bool(start))
        records = await reads.records(statement, {**values, **start, "size": query.size + 1})
        width = len(self._fields)
        items = [self._row(*record[:width]) for record in records[: query.size]]
        more = len(records) > query.size
        last = tuple(records[query.size - 1])[width:] if more else ()
        return CursorPage(items, query.size, encode_cursor(last, bound_to) if more else None)

    def _sort(self, query: ListQuery) -> tuple[SortKey, ...]:
        """The sort keys, ending in the id, which runs in its neighbour's direction so that one index serves both."""
        keys: dict[str, bool] = {}
        for text in (self._order if query.sort is UNSET else query.sort).split(","):
            name = text.removeprefix("-")
            if name not in self._sortable or name in keys:
                allowed = ", ".join(self._sortable)
                raise Invalid(
                    [FieldError(f"must be keys of {allowed}, each once, with - to descend", parameter="sort")]
                )
            keys[name] = text.startswith("-")
            if name == "id":
                break
        keys.setdefault("id", list(keys.values())[-1])
        return tuple(keys.items())

    def _given(self, query: ListQuery) -> dict[str, Any]:
        return {name: value for name in self._filters if (value := getattr(query, name)) is not UNSET}

    def _column(self, name: str) -> InstrumentedAttribute[Any]:
        column: InstrumentedAttribute[Any] = getattr(self._model, name)
        return column

    def _ordered(self, keys: tuple[SortKey, ...]) -> list[ColumnElement[Any]]:
        return [self._column(name).desc() if down else self._column(name).asc() for name, down in keys]

    def _matching(self, statement: Select[Any], filters: tuple[str, ...]) -> Select[Any]:
        return statement.where(*(self._filters[name]() for name in filters))

    def _render_page(self, keys: tuple[SortKey, ...], filters: tuple[str, ...]) -> Rendered:
        total = self._matching(select(func.count().label("total")).select_from(self._model), filters).subquery("t")
        columns = {column.key: column for column in [*self._fields, *(self._column(name) for name, _ in keys)]}
        page = (
            self._matching(select(*columns.values()), filters)
            .order_by(*self._ordered(keys))
            .limit(bindparam("size", type_=BigInteger))
            .offset(bindparam("offset", type_=BigInteger))
            .subquery("p")
        )
        shown = [page.c[field.key] for field in self._fields]
        order = [page.c[name].desc() if down else page.c[name].asc() for name, down in keys]
        return render(select(total.c.total, *shown).outerjoin_from(total, page, onclause=true()).order_by(*order))

    def _render_cursor(self, keys: tuple[SortKey, ...], filters: tuple[str, ...], started: bool) -> Rendered:
        statement = self._matching(
            select(*self._fields, *(self._column(n).label(f"key_{n}") for n, _ in keys)), filters
        )
        if started:
            statement = statement.where(self._beyond(keys))
        return render(statement.order_by(*self._ordered(keys)).limit(bindparam("size", type_=BigInteger)))

    def _beyond(self, keys: tuple[SortKey, ...]) -> ColumnElement[bool]:
        """The rows after the cursor's: one row comparison where all keys run the same way, else key by key."""
        columns = [self._column(name) for name, _ in keys]
        values = [bindparam(f"after_{name}", type_=self._column(name).type) for name, _ in keys]
        if len({down for _, down in keys}) == 1:
            left, right = tuple_(*columns), tuple_(*values)
            return left < right if keys[0][1] else left > right
        steps = []
        for place, (_, down) in enumerate(keys):
            same = [column == value for column, value in zip(columns[:place], values[:place], strict=True)]
            step = columns[place] < values[place] if down else columns[place] > values[place]
            steps.append(and_(*same, step))
        return or_(*steps)
