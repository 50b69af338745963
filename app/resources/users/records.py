"""Users: what a file of them holds."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from app.bulk.dataset import Dataset, Target
from app.credentials.hash_forms import NO_PASSWORD, check_hash, normal_hash
from app.credentials.passwords import Passwords
from app.resources.users.model import ADMINISTRATORS, LastAdministrator
from app.validation.fields import Email, Name, Password

_begins_as_a_hash = re.compile(
    # As crypt, PHC strings, Django, Werkzeug, LDAP, ASP.NET, MySQL and salted hex write it; and Django's "none at all".
    r"\s*(?:\$(?:2[abxy]?|[156PHSy7]|gy|wp|apr1|md5|sha1)\$|\$(?:argon2|pbkdf2|scrypt|bcrypt)"
    r"|pbkdf2[_:]|scrypt[:$]|bcrypt|argon2\w*\$|(?:md5|sha\d*|hmac)\$|\{[A-Za-z\d-]{3,16}\}|AQAAAA|!"
    r"|\*[\dA-F]{40}\Z|[\da-f]{32,}:[\da-f]{32}|\$[a-zA-Z\d]+[^\s$]*\$[\w./$,=+-]{20,}\Z|0x[\dA-Fa-f]{32,}\Z)"
).match
_is_digest = re.compile(
    r"(?=[\da-fA-F]+\Z)(?:.{32}|.{40}|.{56}|.{64}|.{96}|.{128})|(?=[\w+/-]+=+\Z)(?:.{22}==|.{27}=|.{43}=|.{86}==)"
).fullmatch
"""Whether a text is as long as a plain MD5, SHA-1 or SHA-2, in hex or in base64."""
_HASH = "looks like a hash; name the column hashed_password"
_STATES = ("suspended", "blocked", "disabled", "banned", "deactivated", "deleted", "archived")
_FLAGS = ["active", "is_active", "enabled", "is_enabled", "account_enabled", "-banned_until", "-suspended_till"]
_FLAGS += [f"-{name}" for state in _STATES for name in (state, f"is_{state}", f"{state}_at")]


class UserRecord(Struct):
    """A user in a file, with a password or with the hash of one."""

    name: Name
    email: Email
    password: Password | None = None
    hashed_password: Annotated[str, Meta(max_length=255)] | None = None
    id: Any = None
    created_at: datetime | None = None
    active: bool | None = None

    def __repr__(self) -> str:
        return f"UserRecord(name={self.name!r}, email={self.email!r})"


def _rule(record: UserRecord) -> str | None:
    if record.password is not None:
        if record.hashed_password is not None:
            return "either password or hashed_password is required, not both"
        # Hashed once more it would lock its owner out and let in whoever saw it.
        return f"password: {_HASH}" if _begins_as_a_hash(record.password) else None
    try:
        if record.hashed_password not in (None, NO_PASSWORD):
            check_hash(record.hashed_password)
    except ValueError as error:
        return f"hashed_password: {error}"
    return None


def _are_hashes(records: Sequence[dict[str, Any]]) -> str | None:
    given = [record["password"] for record in records if isinstance(record.get("password"), str)]
    if given and all(map(_is_digest, given)) and len(set(map(len, given))) == 1:
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
        columns=("name", "email", "hashed_password", "created_at", "active"),
        readers={"hashed_password": lambda given, _: normal_hash(given)},
        flag="active",
        flags=_FLAGS,
        secrets=("password", "hashed_password"),
        defaults={"hashed_password": f"'{NO_PASSWORD}'", "active": "true"},
        blanks={"hashed_password": NO_PASSWORD},
        last=(ADMINISTRATORS, LastAdministrator.detail),
        rule=_rule,
        suspect=_are_hashes,
        is_slow=_has_password,
        complete=_hashing(passwords),
    )


USERS = Dataset(
    "users",
    _users,
    ("id", "name", "email", "created_at", "active"),
    ("hashed_password",),
    "name, email, password or hashed_password, and id, created_at and active, if they are there",
)
