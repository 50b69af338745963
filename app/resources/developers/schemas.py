"""Developers: what goes over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from app.repository.pagination import ListQuery
from app.validation.fields import READABLE, Email, Moment, Name, Part

Specialty = Annotated[str, Meta(min_length=1, max_length=100, examples=["backend"], extra=READABLE)]


class DeveloperCreate(Struct, forbid_unknown_fields=True):
    name: Name
    email: Email
    specialty: Specialty


DeveloperBulk = Annotated[list[DeveloperCreate], Meta(min_length=1, max_length=10_000)]


class BulkCreated(Struct, frozen=True):
    created: int


class DeveloperUpdate(Struct, forbid_unknown_fields=True):
    """What may change; what is left out stays."""

    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    specialty: Specialty | UnsetType = UNSET


class DeveloperRead(Struct, frozen=True):
    id: int
    name: str
    email: str
    specialty: str
    created_at: datetime


class DeveloperRow(Struct, frozen=True):
    """A developer and the version that its ETag names."""

    id: int
    name: str
    email: str
    specialty: str
    created_at: datetime
    version: int

    def public(self) -> DeveloperRead:
        return DeveloperRead(self.id, self.name, self.email, self.specialty, self.created_at)


class DeveloperQuery(ListQuery):
    """Which developers, in what order."""

    specialty: Specialty | UnsetType = UNSET
    """Exactly this specialty."""
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
