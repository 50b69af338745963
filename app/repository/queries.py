"""Queries: what a list may be asked, and a statement for each shape of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any

from msgspec import UNSET, Struct
from msgspec.json import encode

from app.database.model import Model
from app.problems import FieldError, Invalid
from app.repository.columns import Sortable
from app.repository.cursors import belonging_to, decode_cursor, decoder_of, key_type_of
from app.repository.filters import Filter, among
from app.repository.reader import Rendered, render
from app.repository.schemas import ListQuery
from app.repository.statements import Shape, cursor_page, cursor_pages, deep_page, page
from app.validation.inspection import fields_of

DEEP = 500
"""Rows to skip from which on a page is looked for among the keys alone, and from the nearer end of the table."""
_REMEMBERED = 512
"""Shapes that are kept ready."""

Keys = tuple[tuple[str, bool], ...]
Cursor = tuple[Any, ...]


class Asked(Struct, frozen=True, eq=False):
    """A query that is ready to be answered."""

    query: ListQuery
    kind: Hashable
    """What is of one kind may travel in one statement."""
    one: Rendered
    values: dict[str, Any]
    mark: bytes = b""
    """What its cursors belong to."""
    names: tuple[str, ...] = ()
    cursor: Cursor = ()
    """The values of `names`, where it is not the first page."""
    many: Rendered | None = None
    """`one` for many cursors: where an index finds the place of each, so that none is slow."""


class Queries:
    """The queries of one resource's lists, checked."""

    def __init__(
        self,
        model: type[Model],
        fields: tuple[str, ...],
        query: type[ListQuery],
        *,
        sort: Sequence[Sortable],
        filters: Sequence[Filter] = (),
        order: str = "id",
    ) -> None:
        """A list can be sorted by the id and by `sort`, whose names are its columns' or labels'; `order` is the sort
        where a query has none. There is one filter for each field of `query`, besides `id`. Raises: TypeError."""
        names = [one.name for one in filters]
        asked = [name for name in query.__struct_fields__ if name not in ListQuery.__struct_fields__]
        if sorted(names) != sorted(asked):
            raise TypeError(f"{query.__name__} has the fields {sorted(asked)}, but the filters are {sorted(names)}")
        fields_of(query)
        self._model = model
        self._table = model.metadata.tables[str(model.__tablename__)]
        self._table.info["counted"] = True
        self._fields = fields
        self.sortable = {"id": model.id} | {str(key.key): getattr(key, "element", key) for key in sort}
        self._kinds = {name: key_type_of(key) for name, key in self.sortable.items()}
        leading = {str(next(iter(index.expressions))) for index in self._table.indexes}
        self._indexed = {"id"} | {
            name for name, key in self.sortable.items() if str(getattr(key, "expression", key)) in leading
        }
        self._order = order
        self._filters = {one.name: one for one in (among("id", model.id), *filters)}
        self._rendered = lru_cache(_REMEMBERED)(self._render)
        self._sorts = lru_cache(_REMEMBERED)(self._parse_sort)
        self._decoders = lru_cache(_REMEMBERED)(lambda keys: decoder_of([self._kinds[name] for name, _ in keys]))
        self._sorts(order)

    def prepare(self, query: ListQuery) -> Asked:
        """Raises: Invalid."""
        keys, values = self._sort(query), self._given(query)
        filters, words = tuple(values), encode(query)
        if query.by_page:
            shape = "deep" if query.offset >= DEEP and not filters else "page"
            values |= {"size": query.size, "offset": query.offset}
            return Asked(query, words, self._rendered(shape, keys, filters), values)
        mark, names = belonging_to(self._table.name, keys, sorted(values.items())), tuple(f"after_{n}" for n, _ in keys)
        # One more than is shown tells whether there is a next page.
        values["size"] = query.size + 1
        if not query.cursor:
            return Asked(query, words, self._rendered("first", keys, filters), values, mark, names)
        cursor = decode_cursor(str(query.cursor), self._decoders(keys), mark)
        nulls = frozenset(name for (name, _), value in zip(keys, cursor, strict=True) if value is None)
        one = self._rendered("next", keys, filters, nulls)
        if filters or not self._is_indexed(keys):
            return Asked(query, words, one, values, mark, names, cursor)
        many = self._rendered("nexts", keys, filters, nulls)
        return Asked(query, (query.size, keys, nulls), one, values, mark, names, cursor, many)

    def _is_indexed(self, keys: Keys) -> bool:
        """Whether rows are found in this order, one after the other."""
        return keys[0][0] in self._indexed and len(keys) <= 2 and len({down for _, down in keys}) == 1

    def _sort(self, query: ListQuery) -> Keys:
        return self._sorts(self._order if query.sort is UNSET else query.sort)

    def _parse_sort(self, text: str) -> Keys:
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
        keys: Keys,
        filters: tuple[str, ...],
        nulls: frozenset[str] = frozenset(),
    ) -> Rendered:
        shape = Shape(
            model=self._model,
            fields=self._fields,
            keys=tuple((name, self.sortable[name], down) for name, down in keys),
            conditions=tuple(self._filters[name].condition for name in filters),
        )
        if kind == "nexts":
            return render(cursor_pages(shape, after=nulls))
        if kind in ("first", "next"):
            return render(cursor_page(shape, after=nulls if kind == "next" else None))
        return render(deep_page(shape) if kind == "deep" else page(shape))
