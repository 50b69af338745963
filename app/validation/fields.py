"""Fields: the named types that bodies and queries are made of, each constrained once."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from app.validation.addresses import is_plain_email, normal_email
from app.validation.texts import SEARCHED
from app.validation.weak_passwords import check_common

READABLE = {"readable": True}
Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["Ada Lovelace"], extra=READABLE)]
Email = Annotated[
    str,
    Meta(
        max_length=255,
        examples=["ada@example.com"],
        extra={**READABLE, "adapt": normal_email, "matches": is_plain_email},
        extra_json_schema={"format": "email"},
    ),
]
Password = Annotated[
    str,
    Meta(
        min_length=8,
        max_length=128,
        examples=["correct horse"],
        extra={"check": check_common},
        extra_json_schema={"format": "password", "pattern": r"^[^\u0000]*$"},
    ),
]


def _not_negative(amount: Decimal) -> None:
    """Raises: ValueError."""
    if amount < 0:
        raise ValueError("must not be negative")


# msgspec does not bound a Decimal: `ge=0` is a TypeError when the service starts.
Amount = Annotated[Decimal, Meta(examples=["99.50"], extra={"check": _not_negative})]


def _long_enough(part: str) -> None:
    """Two letters are a word where letters are not ASCII. Raises: ValueError."""
    least = 2 if part and not any(map(str.isascii, part)) else 3
    if len(part) < least:
        raise ValueError(f"at least {least} characters")


# Of queries.
Address = Annotated[Email, Meta(description="This address, in any letter case")]
Search = Annotated[
    str,
    Meta(
        max_length=255,
        extra={**READABLE, "check": _long_enough},
        extra_json_schema={"minLength": 2, "pattern": SEARCHED},
        description="A part of the name or of the address: 3 characters, or 2 where none is ASCII",
    ),
]
Since = Annotated[datetime, Meta(tz=True, description="Created at this time or later (RFC 3339)")]
Before = Annotated[datetime, Meta(tz=True, description="Created before this time (RFC 3339)")]
