"""CRUD: what is said of a resource is checked when the service starts."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from app.repository.crud import Collection, Repository
from app.repository.filters import Filter, exactly
from app.repository.schemas import Item, ListQuery
from app.resources.users.model import User


class ByName(ListQuery):
    name: str | UnsetType = UNSET


class Named(Item, frozen=True):
    name: str


class Aged(Item, frozen=True):
    age: int


@pytest.mark.parametrize(
    "filters", [[], [exactly("name", User.name), exactly("email", User.email)], [exactly("name", User.name)] * 2]
)
def test_a_query_has_one_filter_for_each_field(filters: list[Filter]) -> None:
    with pytest.raises(TypeError, match="ByName has the fields"):
        Collection(User, Named, ByName, sort=[], filters=filters)


def test_an_item_has_fields_that_are_columns() -> None:
    with pytest.raises(AttributeError, match="age"):
        Collection(User, Aged, ListQuery, sort=[])


@pytest.mark.parametrize("repository", Repository.__subclasses__())
def test_the_fields_of_an_item_have_the_types_of_their_columns(repository: type[Repository[Any, Any]]) -> None:
    columns = repository.model_type.__table__.c

    for field in msgspec.structs.fields(repository.item_type):
        kinds = {_plain(kind) for kind in _members(field.type)}
        nullable = {type(None)} if columns[field.name].nullable else set()
        assert kinds == {columns[field.name].type.python_type} | nullable, field.name


def _plain(kind: Any) -> Any:
    """A type without its constraints, and a list without its items."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_origin(kind) or kind


def _members(kind: object) -> tuple[object, ...]:
    return (kind,) if isinstance(kind, type) or get_origin(kind) in (Annotated, list) else get_args(kind)
