"""Output: what a command prints, for a person or a script."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec


def print_json(value: Any) -> None:
    """Print one line of JSON."""
    click.echo(msgspec.json.encode(value))


def print_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print columns as wide as what they hold."""
    lines = [tuple(names), *(tuple(printable(str(value)) for value in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def printable(text: str) -> str:
    """Without what a terminal would obey instead of showing it, or what it has no letters for."""
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
