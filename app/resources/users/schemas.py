"""Users: what goes over the wire."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from app.repository.pagination import ListQuery
from app.validation.fields import Email, Moment, Name, Part, Password


class UserCreate(Struct, forbid_unknown_fields=True):
    """A sign-up. Its `repr` leaves the password out."""

    name: Name
    email: Email
    password: Password

    def __repr__(self) -> str:
        return f"UserCreate(name={self.name!r}, email={self.email!r})"


class UserPassword(Struct, forbid_unknown_fields=True):
    """A new password. Its `repr` leaves it out."""

    password: Password

    def __repr__(self) -> str:
        return "UserPassword()"


class UserUpdate(Struct, forbid_unknown_fields=True):
    """What may change; what is left out stays."""

    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET


class UserRead(Struct, frozen=True):
    id: int
    name: str
    email: str


class UserRow(Struct, frozen=True):
    """A user and the version that its ETag names."""

    id: int
    name: str
    email: str
    version: int

    def public(self) -> UserRead:
        return UserRead(self.id, self.name, self.email)


class UserQuery(ListQuery):
    """Which users, in what order."""

    email: Email | UnsetType = UNSET
    """This address, in any letter case."""
    name: Name | UnsetType = UNSET
    """Exactly this name."""
    q: Part | UnsetType = UNSET
    """A part of the name or of the address."""
    created_after: Moment | UnsetType = UNSET
    """Created at this time or later (RFC 3339)."""
    created_before: Moment | UnsetType = UNSET
    """Created before this time (RFC 3339)."""
