"""Weak passwords: those that are tried first."""

from __future__ import annotations

from pathlib import Path

from app.problems import FieldError, Invalid

_COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text().splitlines())


def check_common(password: str) -> None:
    """Raises: ValueError."""
    if password.lower() in _COMMON:
        raise ValueError("is one of the most common passwords")


def check_personal(password: str, name: str, email: str, *, field: str = "password") -> None:
    """Raises: Invalid."""
    if password.casefold() in (word.casefold() for word in (name, email, email.rpartition("@")[0])):
        raise Invalid([FieldError("must be neither the name nor the address", pointer=f"/{field}")])
