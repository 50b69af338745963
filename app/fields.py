"""Fields: the named types that bodies and queries are made of, each constrained once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from msgspec import Meta


def check_email(text: str) -> None:
    """Accept what email-validator accepts, without a DNS look-up. Raises: ValueError."""
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        raise ValueError("not a valid email address") from None


def check_moment(moment: datetime) -> None:
    """Accept what the calendar holds in UTC too, as the database stores it. Raises: ValueError."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999 (UTC)") from None


Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["Ada Lovelace"], extra={"strip": True})]
Email = Annotated[
    str,
    Meta(
        max_length=255,
        examples=["ada@example.com"],
        extra={"strip": True, "check": check_email},
        extra_json_schema={"format": "email"},
    ),
]
Password = Annotated[
    str,
    Meta(min_length=8, max_length=128, examples=["correct horse"], extra_json_schema={"format": "password"}),
]
Moment = Annotated[datetime, Meta(tz=True, extra={"check": check_moment})]
