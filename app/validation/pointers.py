"""Pointers: where in a body something is wrong (RFC 6901)."""

from __future__ import annotations

from collections.abc import Mapping

from app.problems import FieldError

_LONGEST_NAME = 64
"""Characters of an unknown field's name that an answer repeats."""


class Whole(str):
    """The name of what is no field, but all of them: a client may well have a field without a name."""

    __slots__ = ()


def to_field_errors(errors: Mapping[str, str], prefix: str = "") -> list[FieldError]:
    """Name each bad field by its JSON pointer, where `~` and `/` are escaped."""
    return [
        FieldError(detail, pointer=prefix if isinstance(name, Whole) else f"{prefix}/{_escaped(shortened(name))}")
        for name, detail in errors.items()
    ]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def shortened(name: str) -> str:
    """A client's name of a field as an answer repeats it: cut, and without a lone surrogate."""
    cut = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    return cut.encode(errors="replace").decode()
