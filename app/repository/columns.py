"""Columns: what their types can hold, said before the database has to."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from msgspec import UNSET, Struct
from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, Numeric, SmallInteger
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.visitors import iterate
from sqlalchemy.types import TypeEngine

Sortable = ColumnElement[Any] | InstrumentedAttribute[Any]

_MOST_DIGITS = 131_072
"""Before the point, of a numeric that has no precision."""
_EXACT = Context(prec=2 * _MOST_DIGITS)


def may_be_null(expression: Sortable) -> bool:
    """Whether any column in it may be."""
    element: Any = getattr(expression, "expression", expression)
    return any(getattr(part, "nullable", False) for part in iterate(element))


def fitting(kind: TypeEngine[Any], value: Any) -> Any:
    """The value as a column of this type keeps it. Raises: ValueError, if it cannot."""
    if isinstance(value, list):
        return [fitting(getattr(kind, "item_type", kind), item) for item in value]
    if isinstance(kind, Integer) and isinstance(value, int):
        bits = 15 if isinstance(kind, SmallInteger) else 63 if isinstance(kind, BigInteger) else 31
        return _within(value, -(2**bits) <= value < 2**bits)
    if isinstance(kind, Numeric) and isinstance(value, Decimal):
        digits = _MOST_DIGITS if kind.precision is None else kind.precision - (kind.scale or 0)
        places = min(int(value.as_tuple().exponent), 0) if kind.scale is None else -kind.scale
        _within(value, not value or value.adjusted() < digits)
        kept = value.quantize(Decimal(1).scaleb(places), ROUND_HALF_UP, _EXACT)
        return _within(kept, not kept or kept.adjusted() < digits)
    return value


def _within(value: Any, does_fit: bool) -> Any:
    if not does_fit:
        raise ValueError("out of range")
    return value


def values_of(table: FromClause, data: Struct) -> tuple[dict[str, Any], dict[str, str]]:
    """What is set in `data` as the columns of its fields keep it, and what is wrong with the rest."""
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name in data.__struct_fields__:
        if (value := getattr(data, name)) is not UNSET:
            try:
                values[name] = fitting(table.c[name].type, value) if name in table.c else value
            except ValueError as error:
                wrong[name] = str(error)
    return values, wrong
