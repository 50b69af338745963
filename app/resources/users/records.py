"""Users: what a file of them holds."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from app.bulk.dataset import Dataset, Moment, impossible_time
from app.bulk.importer import Target
from app.passwords import Passwords, check_hash
from app.validation.fields import Email, Name, Password

_begins_as_a_hash = re.compile(
    # As crypt, PHC strings, Django, Werkzeug, LDAP, ASP.NET, MySQL and salted hex write it; and Django's "none at all".
    r"\s*(?:\$(?:2[abxy]?|[156PHSy7]|gy|wp|apr1|md5|sha1)\$|\$(?:argon2|pbkdf2|scrypt|bcrypt)"
    r"|pbkdf2[_:]|scrypt[:$]|bcrypt|argon2\w*\$|(?:md5|sha\d*|hmac)\$|\{[A-Za-z\d-]{3,16}\}|AQAAAA|!"
    r"|\*[\dA-F]{40}\Z|[\da-f]{32,}:[\da-f]{32})"
).match
_is_hex = re.compile(r"(?=[\da-fA-F]+\Z)(?:.{32}|.{40}|.{56}|.{64}|.{96}|.{128})").fullmatch
"""Whether a text is as long as a plain MD5, SHA-1 or SHA-2."""
_HASH = "looks like a hash; name the column hashed_password"


def _check_password(text: str) -> None:
    """Refuse what is no password: hashed once more it would lock its owner out and let in whoever saw it."""
    if _begins_as_a_hash(text):
        raise ValueError(_HASH)


GivenPassword = Annotated[Password, Meta(extra={"check": _check_password})]
HashedPassword = Annotated[str, Meta(max_length=255, extra={"check": check_hash})]


class UserRecord(Struct, forbid_unknown_fields=True):
    """A user in a file, with a password or with the hash of one."""

    name: Name
    email: Email
    password: GivenPassword | None = None
    hashed_password: HashedPassword | None = None
    id: Any = None
    created_at: Moment | None = None

    def __repr__(self) -> str:
        return f"UserRecord(name={self.name!r}, email={self.email!r})"


def _rule(record: UserRecord) -> str | None:
    if (record.password is None) == (record.hashed_password is None):
        return "either password or hashed_password is required"
    return impossible_time(record)


def _are_hashes(records: Sequence[UserRecord]) -> str | None:
    given = [record.password for record in records if record.password is not None]
    if given and all(map(_is_hex, given)) and len(set(map(len, given))) == 1:
        return f"every password {_HASH}"
    return None


def _has_password(record: Any) -> bool:
    password = record.get("password") if isinstance(record, dict) else getattr(record, "password", None)
    return password is not None


def _hashing(passwords: Passwords) -> Callable[[UserRecord], Awaitable[UserRecord]]:
    async def complete(record: UserRecord) -> UserRecord:
        hashed = await passwords.hash(record.password or "")
        return msgspec.structs.replace(record, password=None, hashed_password=hashed)

    return complete


def _users(passwords: Passwords) -> Target:
    return Target(
        table="users",
        kind=UserRecord,
        columns=("name", "email", "hashed_password", "created_at"),
        rule=_rule,
        suspect=_are_hashes,
        is_slow=_has_password,
        complete=_hashing(passwords),
    )


USERS = Dataset("users", _users, ("id", "name", "email", "created_at"), ("hashed_password",))
