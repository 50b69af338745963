"""Statements: the SELECTs behind a list, for any filters and any order."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    column,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.database.model import Model
from app.repository.columns import Sortable, may_be_null
from app.repository.counts import row_count

_SIZE = bindparam("size", type_=BigInteger)
_OFFSET = bindparam("offset", type_=BigInteger)


class Shape(Struct, frozen=True):
    """What a list shows, in what order, of which rows."""

    model: type[Model]
    fields: tuple[str, ...]
    keys: tuple[tuple[str, Sortable, bool], ...]
    """Name, expression and whether it descends; the last is the id."""
    conditions: tuple[ColumnElement[bool], ...]

    def columns(self) -> list[ColumnElement[Any]]:
        return [getattr(self.model, name) for name in self.fields]

    def sort_columns(self) -> list[ColumnElement[Any]]:
        return [expression.label(f"key_{name}") for name, expression, _ in self.keys]

    def order(self, *, reverse: bool = False) -> list[ColumnElement[Any]]:
        return [_directed(expression, down != reverse) for _, expression, down in self.keys]

    def total(self) -> Subquery:
        """The number of matching rows: counted only where a condition leaves no other way."""
        if not self.conditions:
            return select(row_count(str(self.model.__tablename__)).label("total")).subquery("t")
        return select(func.count().label("total")).select_from(self.model).where(*self.conditions).subquery("t")


def page(shape: Shape) -> Select[Any]:
    """(total, *fields) of each row of a page; one row of nulls after the total where the page is empty."""
    rows = (
        select(*shape.columns(), *shape.sort_columns())
        .where(*shape.conditions)
        .order_by(*shape.order())
        .limit(_SIZE)
        .offset(_OFFSET)
    )
    return _beside_total(shape, shape.total(), rows.subquery("p"))


def deep_page(shape: Shape) -> Select[Any]:
    """The same, for a page far from the start: keys only, from the nearer end, then the rows of the keys.

    Both directions stand in the statement; the limit of the one that is not needed is 0, and then it costs nothing.
    """
    total = shape.total().select().cte("t")
    count = select(total.c.total).scalar_subquery()
    from_start = count - _OFFSET >= _OFFSET
    forward = select(shape.model.id).order_by(*shape.order()).limit(case((from_start, _SIZE), else_=0)).offset(_OFFSET)
    backward = (
        select(shape.model.id)
        .order_by(*shape.order(reverse=True))
        .limit(case((from_start, 0), else_=func.greatest(func.least(_SIZE, count - _OFFSET), 0)))
        .offset(func.greatest(count - _OFFSET - _SIZE, 0))
    )
    keys = forward.subquery().select().union_all(backward.subquery().select()).subquery("k")
    # One look-up for each key: a planner that guesses at the limit would rather read the whole table.
    row = select(*shape.columns(), *shape.sort_columns()).where(shape.model.id == keys.c.id).limit(1).lateral("r")
    rows = select(row).select_from(keys.join(row, true()))
    return _beside_total(shape, total, rows.subquery("p"))


def cursor_page(shape: Shape, *, after: frozenset[str] | None) -> Select[Any]:
    """(*fields, *sort keys) of the first rows, or of those after `after_<key>`; the keys in `after` are null there."""
    values = [bindparam(f"after_{name}", type_=expression.type) for name, expression, _ in shape.keys]
    return _rows_after(shape, after, values)


def cursor_pages(shape: Shape, *, after: frozenset[str]) -> Select[Any]:
    """The same for many cursors, whose keys are arrays; each row ends with the place of its cursor, counted from 1."""
    parts = [(f"after_{name}", expression.type) for name, expression, _ in shape.keys]
    arrays = func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in parts))
    columns = [column(name, kind) for name, kind in parts]
    cursors = arrays.table_valued(*columns, with_ordinality="place", name="cursors").render_derived()
    rows = _rows_after(shape, after, [cursors.c[name] for name, _ in parts]).lateral("p")
    return (
        select(*rows.c, cursors.c.place)
        .select_from(cursors.join(rows, true()))
        .order_by(cursors.c.place, *_order_of(shape, rows))
    )


def _rows_after(shape: Shape, after: frozenset[str] | None, values: list[Any]) -> Select[Any]:
    statement = select(*shape.columns(), *shape.sort_columns()).where(*shape.conditions)
    if after is not None:
        statement = statement.where(_beyond(shape, after, values))
    return statement.order_by(*shape.order()).limit(_SIZE)


def _order_of(shape: Shape, rows: FromClause) -> list[ColumnElement[Any]]:
    return [_directed(rows.c[f"key_{name}"], down) for name, _, down in shape.keys]


def _beside_total(shape: Shape, total: Any, rows: Subquery) -> Select[Any]:
    shown = [rows.c[name] for name in shape.fields]
    ordered = _order_of(shape, rows)
    return select(total.c.total, *shown).select_from(total.outerjoin(rows, true())).order_by(*ordered)


def _beyond(shape: Shape, nulls: frozenset[str], values: list[Any]) -> ColumnElement[bool]:
    """The rows after a cursor's: one row comparison where all keys run the same way, else key by key.

    Nulls are where PostgreSQL puts them: last, and first where a key descends.
    """
    expressions = [expression for _, expression, _ in shape.keys]
    if len({down for *_, down in shape.keys}) == 1 and not any(map(may_be_null, expressions)):
        left, right = tuple_(*expressions), tuple_(*values)
        return left < right if shape.keys[0][2] else left > right
    steps: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for value, (name, expression, down) in zip(values, shape.keys, strict=True):
        if name in nulls:
            further: ColumnElement[bool] = expression.is_not(None) if down else false()
            equal: ColumnElement[bool] = expression.is_(None)
        else:
            further = expression < value if down else expression > value
            equal = expression == value
            if not down and may_be_null(expression):
                further = or_(further, expression.is_(None))
        steps.append(and_(*same, further))
        same.append(equal)
    return or_(*steps)


def _directed(expression: Sortable, down: bool) -> ColumnElement[Any]:
    return expression.desc() if down else expression.asc()
