"""Passwords: what goes over the wire. No `repr` shows one."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from app.repository.schemas import Body
from app.resources.sessions.schemas import GivenPassword, Token
from app.validation.fields import Password


class PasswordChange(Body):
    """A new password, and the one that it replaces."""

    secret = frozenset({"new_password", "current_password"})

    new_password: Password
    current_password: GivenPassword | UnsetType = UNSET


class NewPassword(Body):
    """A new password, and the token that stands for the forgotten one."""

    secret = frozenset({"token", "new_password"})

    token: Token
    new_password: Password


class ResetToken(Struct, frozen=True):
    """Lets its holder choose a password, once and for a quarter of an hour."""

    token: Token
    expires_at: datetime

    def __repr__(self) -> str:
        return "ResetToken()"
