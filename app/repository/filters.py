"""Filters: the conditions that lists understand, each of one parameter with the value that it needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct
from sqlalchemy import ARRAY, ColumnElement, Function, String, any_, bindparam, func, or_
from sqlalchemy.orm import InstrumentedAttribute

from app.repository.columns import fitting


def _as_given(value: Any) -> Any:
    return value


class Filter(Struct, frozen=True):
    """A condition on the parameter `name`. `adapt` makes its value what the condition takes, or raises ValueError."""

    name: str
    condition: ColumnElement[bool]
    adapt: Callable[[Any], Any] = _as_given


def exactly(name: str, column: InstrumentedAttribute[Any]) -> Filter:
    return Filter(name, column == bindparam(name, type_=column.type), partial(_checked, column))


def among(name: str, column: InstrumentedAttribute[Any]) -> Filter:
    """Any of the values; what is given twice or in another order is the same."""
    values = bindparam(name, type_=ARRAY(column.type))
    return Filter(name, column == any_(values), lambda given: sorted({_checked(column, value) for value in given}))


def in_any_case(name: str, column: InstrumentedAttribute[Any]) -> Filter:
    return Filter(name, address_key(column) == address_key(bindparam(name, type_=column.type)))


def address_key(address: Any) -> Function[str]:
    """What is equal for two spellings of one address: an SQL function of ours, so that no locale has a say."""
    return func.address_key(address, type_=String)


def containing(name: str, *columns: InstrumentedAttribute[Any]) -> Filter:
    """Any of the columns contains the text, in any letter case; LIKE's own characters mean themselves."""
    pattern = bindparam(name, type_=columns[0].type)
    return Filter(name, or_(*(column.ilike(pattern, escape="\\") for column in columns)), _pattern)


def since(name: str, column: InstrumentedAttribute[Any]) -> Filter:
    return Filter(name, column >= bindparam(name, type_=column.type), partial(_checked, column))


def before(name: str, column: InstrumentedAttribute[Any]) -> Filter:
    return Filter(name, column < bindparam(name, type_=column.type), partial(_checked, column))


def _checked(column: InstrumentedAttribute[Any], value: Any) -> Any:
    """The value, unrounded, if the column could hold it. Raises: ValueError."""
    fitting(column.type, value)
    return value


def _pattern(text: str) -> str:
    for character in "\\%_":
        text = text.replace(character, "\\" + character)
    return f"%{text}%"
