"""Users: what a file of them holds."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from app.bulk.dataset import Dataset
from app.passwords import Passwords, check_hash
from app.validation.fields import Email, Name, Password

HashedPassword = Annotated[str, Meta(max_length=255, extra={"check": check_hash})]


class UserRecord(Struct, forbid_unknown_fields=True):
    """A user in a file, with a password or with the hash of one."""

    name: Name
    email: Email
    password: Password | None = None
    hashed_password: HashedPassword | None = None
    id: Any = None
    created_at: Any = None

    def __repr__(self) -> str:
        return f"UserRecord(name={self.name!r}, email={self.email!r})"


def _one_password(record: UserRecord) -> str | None:
    if (record.password is None) == (record.hashed_password is None):
        return "either password or hashed_password is required"
    return None


def _is_to_be_hashed(record: Any) -> bool:
    password = record.get("password") if isinstance(record, dict) else getattr(record, "password", None)
    return password is not None


async def _hashed(record: UserRecord, passwords: Passwords) -> UserRecord:
    hashed = await passwords.hash(record.password or "")
    return msgspec.structs.replace(record, password=None, hashed_password=hashed)


USERS = Dataset(
    table="users",
    kind=UserRecord,
    columns=("name", "email", "hashed_password"),
    exported=("id", "name", "email", "created_at"),
    secret=("hashed_password",),
    rule=_one_password,
    is_slow=_is_to_be_hashed,
    complete=_hashed,
)
