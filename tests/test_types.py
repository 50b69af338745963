"""Types: what is no string is checked, stored, sorted by and described like what is one."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy import ARRAY, BigInteger, Integer, Numeric, SmallInteger, column
from sqlalchemy.types import TypeEngine

from app.http.openapi import query_parameters
from app.repository.columns import fitting
from app.repository.crud import Collection
from app.repository.cursors import decode_cursor, decoder_of, encode_cursor, key_type
from app.repository.filters import exactly
from app.repository.schemas import Item, ListQuery
from app.resources.users.model import User
from app.validation.batch import partition_rows
from app.validation.validator import check


class Colour(Enum):
    RED = "red"


class Given(Struct):
    names: Annotated[list[Annotated[str, Meta(min_length=2, pattern="^[a-z]+$")]], Meta(max_length=2)] = []
    more: dict[str, Any] = {}
    code: Annotated[str, Meta(pattern="^[A-Z]+$")] = "A"
    colour: Colour | None = None
    size: Literal["s", "m"] = "s"
    step: Annotated[int, Meta(multiple_of=5)] = 5
    amount: Decimal = Decimal(1)
    day: date = date(2026, 1, 1)
    at: time = time(1)
    key: UUID | None = None


DEEP: list[Any] = []
for _ in range(900):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("names", ["a"], "at least 2 characters"),
        ("names", ["aa", "bb", "cc"], "at most 2 items"),
        ("names", ["aa\n"], "must have the form that the document shows"),
        ("names", ["a\0"], "must not contain a NUL character"),
        ("names", ["\udc00"], "must not contain a lone surrogate"),
        ("names", DEEP, "is nested too deeply"),
        ("more", {"a": [{"b": "\0"}]}, "must not contain a NUL character"),
        ("more", {"\0": 1}, "must not contain a NUL character"),
        ("code", "secret", "must have the form that the document shows"),
        ("code", "A\n", "must have the form that the document shows"),
        ("colour", "blue", "must be one of: red"),
        ("size", "xl", "must be one of: m, s"),
        ("step", 4, "must be a multiple of 5"),
        ("amount", "much", "must be a number"),
        ("amount", "sNaN", "must be a number"),
        ("amount", None, "must be a number"),
        ("day", "today", "must be a date (RFC 3339)"),
        ("day", 1, "must be a date (RFC 3339)"),
        ("at", "noon", "must be a time (RFC 3339)"),
        ("key", "x", "must be a UUID"),
        ("key", 1, "must be a UUID or null"),
    ],
)
def test_what_is_wrong_is_said_in_words_for_one_and_for_many(field: str, value: Any, detail: str) -> None:
    assert check(Given, {field: value}) == (None, {field: detail})
    assert partition_rows(Given, [{}, {field: value}])[1] == {1: {field: detail}}


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        (SmallInteger(), 2**15 - 1, 2**15 - 1),
        (SmallInteger(), 2**15, None),
        (Integer(), -(2**31), -(2**31)),
        (Integer(), -(2**31) - 1, None),
        (BigInteger(), 2**63 - 1, 2**63 - 1),
        (BigInteger(), 2**63, None),
        (ARRAY(Integer), [1, 2**31], None),
        (Numeric(4, 2), Decimal("99.994"), Decimal("99.99")),
        (Numeric(4, 2), Decimal("-0.005"), Decimal("-0.01")),
        (Numeric(4, 2), Decimal("99.995"), None),
        (Numeric(4, 2), Decimal("1e999999"), None),
        (Numeric(4, 2), Decimal("1e-999999"), Decimal("0.00")),
        (Numeric(), Decimal("1e5"), Decimal("100000")),
        (Numeric(), Decimal("1e131072"), None),
    ],
)
def test_a_value_is_what_its_column_keeps(kind: TypeEngine[Any], value: Any, kept: Any) -> None:
    if kept is None:
        with pytest.raises(ValueError, match="out of range"):
            fitting(kind, value)
    else:
        assert str(fitting(kind, value)) == str(kept)


@pytest.mark.parametrize(
    "value",
    [1, "a", True, 1.5, Decimal("1.50"), date(2026, 1, 1), time(1, 2), UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC)],
)
def test_a_cursor_holds_keys_of_any_type(value: Any) -> None:
    kinds = [key_type(type(value), nullable=nullable) for nullable in (False, True, True)]

    assert decode_cursor(encode_cursor([value, value, None], b""), decoder_of(kinds), b"") == (value, value, None)


def test_what_has_no_order_in_a_cursor_is_refused_at_the_start() -> None:
    with pytest.raises(TypeError, match="sorted by a list"):
        key_type(list, nullable=False)
    with pytest.raises(TypeError, match="needs a type"):
        Collection(User, Item, ListQuery, sort=[column("owner_id")])


def test_a_bound_that_msgspec_does_not_know_is_refused_at_the_start() -> None:
    with pytest.raises(TypeError, match="numeric"):
        Collection(User, Item, Bounded, sort=[], filters=[exactly("amount", User.name)])


class Bounded(ListQuery):
    amount: Annotated[Decimal, Meta(ge=0)] | UnsetType = UNSET


class Anything(ListQuery):
    size_: Literal["s", "m"] | UnsetType = UNSET
    colour: Colour | UnsetType = UNSET
    day: Annotated[date, Meta(description="A day")] | UnsetType | None = UNSET
    is_on: bool | UnsetType = UNSET
    less: Annotated[float, Meta(gt=0)] | UnsetType = UNSET


def test_parameters_of_any_type_are_described() -> None:
    described = {one.name: one.to_schema()["schema"] for one in query_parameters(Anything)}

    assert described["size_"] == {"enum": ["m", "s"]}
    assert described["colour"] == {"enum": ["red"]}
    assert described["day"] == {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}
    assert (described["is_on"], described["less"]) == ({"type": "boolean"}, {"type": "number", "exclusiveMinimum": 0.0})
