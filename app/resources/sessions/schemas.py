"""Sessions: what goes over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from app.repository.schemas import Body
from app.resources.users.schemas import UserRead
from app.validation.fields import Email

GivenPassword = Annotated[str, Meta(max_length=1_000, extra_json_schema={"format": "password"})]
"""One that was set some time, maybe elsewhere and by other rules."""
Token = Annotated[str, Meta(examples=["lus_3q2-7wQ5kT0yJbN8xVfRmC1aZsLhGdUoEiPpKtXvB9n0f3a91c5"])]


class SignIn(Body):
    """An address and a password."""

    secret = frozenset({"password"})

    email: Email
    password: GivenPassword


class SignedIn(Struct, frozen=True):
    """A new session, whose token is shown this once. Its `repr` leaves it out."""

    id: int
    token: Token
    expires_at: datetime
    user: UserRead

    def __repr__(self) -> str:
        return f"SignedIn(id={self.id!r})"


class SessionRead(Struct, frozen=True):
    id: int
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime
    user_agent: Annotated[str, Meta(examples=["curl/8.14.1"])]
    current: bool


class Sessions(Struct, frozen=True):
    items: list[SessionRead]
