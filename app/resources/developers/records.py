"""Developers: what a file of them holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from app.bulk.dataset import Dataset, Target
from app.credentials.passwords import Passwords
from app.resources.developers.schemas import Specialty
from app.validation.fields import Email, Name


class DeveloperRecord(Struct):
    """A developer in a file."""

    name: Name
    email: Email
    specialty: Specialty
    id: Any = None
    created_at: datetime | None = None


def _developers(_: Passwords) -> Target:
    return Target(
        table="developers",
        kind=DeveloperRecord,
        columns=("name", "email", "specialty", "created_at"),
    )


DEVELOPERS = Dataset(
    "developers",
    _developers,
    ("id", "name", "email", "specialty", "created_at"),
    imported="name, email, specialty, and id and created_at, if they are there",
)
