"""CRUD: what every resource does alike. Reads take the reader, and stand alone; writes are a transaction's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import select

from app.database.model import Model
from app.problems import Invalid, Missing
from app.repository.columns import values_of
from app.repository.listing import Listing
from app.repository.reader import Reader, by_key
from app.repository.schemas import Body, Item, Stored
from app.validation.pointers import to_field_errors

I = TypeVar("I", bound=Item)  # noqa: E741  # an item
M = TypeVar("M", bound=Model)

Condition = Callable[[int], None]
"""Is asked about the version of a row that is to be changed. Raises: PreconditionFailed."""


class Collection(Listing[I]):
    """Items as they are stored: one by its id, and lists."""

    def __init__(self, model: type[Model], item: type[I], *arguments: Any, **options: Any) -> None:
        super().__init__(model, item, *arguments, **options)
        columns = [getattr(model, name) for name in item.__struct_fields__]
        self._by_id = by_key(select(*columns, model.version), model.id)

    async def get(self, reader: Reader, item_id: int) -> Stored[I]:
        """One item. Raises: Missing."""
        record = await reader.find(self._by_id, item_id)
        if record is None:
            raise Missing(self._model.__name__)
        *values, version = record
        return Stored(self._item(*values), version)


class Repository(SQLAlchemyAsyncRepository[M], Generic[M, I]):
    """Writes to a table, in a transaction that somebody else commits."""

    item_type: type[I]
    wrap_exceptions = False

    async def create(self, data: Body) -> Stored[I]:
        """Insert a row of the fields of `data`; constraints decide whether it may be there. Raises: Invalid."""
        return await self.insert(self.model_type(**self._set(data)))

    async def insert(self, row: M) -> Stored[I]:
        return self._stored(await self.add(row, auto_refresh=False))

    async def change(self, item_id: int, changes: Body, condition: Condition) -> Stored[I]:
        """Change what is set in `changes`, under a condition. Raises: Invalid, Missing, PreconditionFailed."""
        values = self._set(changes)
        row = await self.locked(item_id, condition)
        for name, value in values.items():
            setattr(row, name, value)
        await self.session.flush()
        return self._stored(row)

    async def remove(self, item_id: int, condition: Condition | None = None) -> None:
        """Delete a row, under a condition. Raises: Missing, PreconditionFailed."""
        await self.session.delete(await self.locked(item_id, condition))
        await self.session.flush()

    async def locked(self, item_id: int, condition: Condition | None = None) -> M:
        """A row, locked, so that without If-Match the last writer wins instead of losing to another.

        Raises: Missing, PreconditionFailed.
        """
        row = await self.session.get(self.model_type, item_id, with_for_update=True)
        if row is None:
            raise Missing(self.model_type.__name__)
        if condition is not None:
            condition(row.version)
        return row

    def _stored(self, row: M) -> Stored[I]:
        return Stored(msgspec.convert(row, self.item_type, from_attributes=True), row.version)

    def _set(self, data: Body) -> dict[str, Any]:
        values, wrong = values_of(self.model_type.__table__, data)
        if wrong:
            raise Invalid(to_field_errors(wrong))
        return values
