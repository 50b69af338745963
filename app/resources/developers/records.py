"""Developers: what a file of them holds."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from app.bulk.dataset import Dataset, Moment, impossible_time
from app.bulk.importer import Target
from app.passwords import Passwords
from app.resources.developers.schemas import Specialty
from app.validation.fields import Email, Name


class DeveloperRecord(Struct, forbid_unknown_fields=True):
    """A developer in a file. `id` is in what was exported; here it is given anew."""

    name: Name
    email: Email
    specialty: Specialty
    id: Any = None
    created_at: Moment | None = None


def _developers(_: Passwords) -> Target:
    return Target(
        table="developers",
        kind=DeveloperRecord,
        columns=("name", "email", "specialty", "created_at"),
        rule=impossible_time,
    )


DEVELOPERS = Dataset("developers", _developers, ("id", "name", "email", "specialty", "created_at"))
