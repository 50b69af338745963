"""Weak passwords: those that are tried first."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

from app.problems import FieldError, Invalid

_COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text().splitlines())


def check_common(password: str) -> None:
    """Raises: ValueError."""
    if _folded(password) in _COMMON:
        raise ValueError("is one of the most common passwords")


def check_personal(password: str, name: str, email: str, *, field: str = "password") -> None:
    """Raises: Invalid."""
    if _folded(password.strip()) in map(_folded, (name, email, email.rpartition("@")[0])):
        raise Invalid([FieldError("must be neither the name nor the address", pointer=f"/{field}")])


def _folded(text: str) -> str:
    """Letters as they are compared, whatever their case, their width and how their accents are written."""
    return normalize("NFKC", text).casefold()
