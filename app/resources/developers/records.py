"""Developers: what a file of them holds."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from app.bulk.dataset import Dataset
from app.resources.developers.schemas import Specialty
from app.validation.fields import Email, Name


class DeveloperRecord(Struct, forbid_unknown_fields=True):
    """A developer in a file. `id` and `created_at` are in what was exported; here they are given anew."""

    name: Name
    email: Email
    specialty: Specialty
    id: Any = None
    created_at: Any = None


DEVELOPERS = Dataset(
    table="developers",
    kind=DeveloperRecord,
    columns=("name", "email", "specialty"),
    exported=("id", "name", "email", "specialty", "created_at"),
)
