"""Listing: one resource's lists, by page and by cursor."""

from __future__ import annotations

from functools import partial
from typing import Any, Generic, TypeVar, cast

from app.database.model import Model
from app.repository.cursors import encode_cursor
from app.repository.queries import Asked, Cursor, Queries
from app.repository.reader import Reader
from app.repository.schemas import CursorPage, Item, ListQuery, Page, make_page

T = TypeVar("T", bound=Item)

MOST_PAGES = 16
"""Pages of one statement."""


class Listing(Generic[T]):
    """The lists of `model` as `item` Structs."""

    def __init__(self, model: type[Model], item: type[T], query: type[ListQuery], **options: Any) -> None:
        """The options are those of `Queries`. Raises: TypeError."""
        self._model = model
        self._item = item
        self.query = query
        self._queries = Queries(model, item.__struct_fields__, query, **options)
        self.sortable = self._queries.sortable
        self.prepare = self._queries.prepare

    async def page(self, reader: Reader, query: ListQuery) -> Page[T]:
        """One page and the total, from one snapshot. Raises: Invalid, SharedFailure."""
        return cast("Page[T]", await self.select(reader, query))

    async def select(self, reader: Reader, query: ListQuery) -> Page[T] | CursorPage[T]:
        """The page that a query asks for, or what is after its cursor, which costs the same wherever that points.

        Who asks in the same words meanwhile gets the same. Raises: Invalid, SharedFailure.
        """
        asked = self.prepare(query)
        answer = partial(self._answer, reader, asked)
        found = await reader.together((self, asked.kind), asked.cursor, answer, most=MOST_PAGES)
        return cast("Page[T] | CursorPage[T]", found)

    async def _answer(self, reader: Reader, asked: Asked, cursors: list[Cursor]) -> dict[Cursor, Any]:
        if asked.query.by_page:
            return {(): self._page(await reader.records(asked.one, asked.values), asked.query)}
        found: dict[Cursor, list[Any]] = {cursor: [] for cursor in cursors}
        if asked.many is None or len(cursors) == 1:
            values = asked.values | dict(zip(asked.names, cursors[0], strict=False))
            found[cursors[0]] = await reader.records(asked.one, values)
        else:
            values = asked.values | dict(zip(asked.names, map(list, zip(*cursors, strict=True)), strict=True))
            for record in await reader.records(asked.many, values):
                found[cursors[record[-1] - 1]].append(record)
        return {cursor: self._slice(records, asked) for cursor, records in found.items()}

    def _page(self, records: list[Any], query: ListQuery) -> Page[T]:
        items = [self._item(*record[1:]) for record in records if record[1] is not None]
        return make_page(items, total=records[0][0], query=query)

    def _slice(self, records: list[Any], asked: Asked) -> CursorPage[T]:
        width, size = len(self._item.__struct_fields__), asked.query.size
        items = [self._item(*record[:width]) for record in records[:size]]
        if len(records) <= size:
            return CursorPage(items, size, None)
        last = tuple(records[size - 1])[width : width + len(asked.names)]
        return CursorPage(items, size, encode_cursor(last, asked.mark))
