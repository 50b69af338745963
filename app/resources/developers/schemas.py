"""Developers: what goes over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from app.repository.schemas import Body, Item, ListQuery
from app.validation.fields import READABLE, Address, Before, Email, Name, Search, Since

Specialty = Annotated[str, Meta(min_length=1, max_length=100, examples=["backend"], extra=READABLE)]


class DeveloperCreate(Body):
    fixed = frozenset({"id", "created_at"})

    name: Name
    email: Email
    specialty: Specialty


DeveloperBulk = Annotated[
    list[DeveloperCreate],
    Meta(min_length=1, max_length=10_000, extra={"more": "`litestar developers import` takes any number"}),
]


class DeveloperUpdate(Body):
    """What may change; what is left out stays."""

    fixed = frozenset({"id", "created_at"})

    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    specialty: Specialty | UnsetType = UNSET


class DeveloperRead(Item, frozen=True):
    name: str
    email: str
    specialty: str
    created_at: datetime


class DeveloperQuery(ListQuery):
    specialty: Annotated[Specialty, Meta(description="Exactly this specialty")] | UnsetType = UNSET
    email: Address | UnsetType = UNSET
    name: Annotated[Name, Meta(description="Exactly this name")] | UnsetType = UNSET
    q: Search | UnsetType = UNSET
    created_after: Since | UnsetType = UNSET
    created_before: Before | UnsetType = UNSET
