"""Output: what a command prints, for a person or a script."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from typing import Any

import click
import msgspec
from rich.cells import cell_len, set_cell_size


def print_json(value: Any) -> None:
    """Print one line of JSON."""
    click.echo(msgspec.json.encode(value))


def print_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print columns as wide as what they hold; on a terminal the widest are cut until all fit into it."""
    lines = [tuple(names), *(tuple(printable(str(value)) for value in row) for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    room = get_terminal_size().columns - 2 * len(widths) + 2 if sys.stdout.isatty() else sum(widths)
    while sum(widths) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    for line in lines:
        click.echo("  ".join(map(_fitted, line, widths)).rstrip())


def _fitted(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def printable(text: str) -> str:
    """Without what a terminal would obey instead of showing it, or what it has no letters for."""
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
