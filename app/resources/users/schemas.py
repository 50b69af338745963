"""Users: what goes over the wire."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from app.repository.schemas import Body, Item, ListQuery
from app.validation.fields import Address, Before, Email, Name, Password, Search, Since


class UserCreate(Body):
    """A sign-up."""

    fixed = frozenset({"id", "created_at"})
    secret = frozenset({"password"})

    name: Name
    email: Email
    password: Password


class UserPassword(Body):
    """A new password."""

    secret = frozenset({"password"})

    password: Password


class UserUpdate(Body):
    """What may change; what is left out stays."""

    fixed = frozenset({"id", "created_at", "password"})

    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET


class UserRead(Item, frozen=True):
    name: str
    email: str


class UserAccount(UserRead, frozen=True):
    """A user as administrators see it."""

    is_admin: bool
    active: bool


class AccountRead(Struct, frozen=True):
    """What an account may do."""

    is_admin: bool
    active: bool


class AccountUpdate(Body):
    """What may change; what is left out stays."""

    is_admin: bool | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class UserQuery(ListQuery):
    email: Address | UnsetType = UNSET
    name: Annotated[Name, Meta(description="Exactly this name")] | UnsetType = UNSET
    q: Search | UnsetType = UNSET
    created_after: Since | UnsetType = UNSET
    created_before: Before | UnsetType = UNSET
