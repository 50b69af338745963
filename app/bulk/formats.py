"""Formats: rows as CSV or JSON lines, and reasons in a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

Format = Literal["csv", "jsonl"]

REJECTED = ("line", "reason")
"""What stands before the cells of a rejected record; left out when they are read again."""
Encode = Callable[[Iterable[Sequence[Any]]], bytes]


def encoder(style: Format, names: Sequence[str]) -> tuple[bytes, Encode]:
    """What a file of these columns begins with, and how rows are written."""
    if style == "csv":
        return write_csv([names]), write_csv
    encode = msgspec.json.Encoder().encode
    return b"", lambda rows: b"".join(encode(dict(zip(names, row, strict=True))) + b"\n" for row in rows)


def write_csv(rows: Iterable[Sequence[Any]]) -> bytes:
    written = [[value.isoformat() if hasattr(value, "isoformat") else value for value in row] for row in rows]
    text = _csv(written, csv.QUOTE_MINIMAL)
    # Python below 3.13 leaves a carriage return without quotes.
    return (_csv(written, csv.QUOTE_ALL) if "\r" in text else text).encode()


def _csv(rows: Iterable[Sequence[Any]], quoting: Literal[0, 1]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(rows)
    return text.getvalue()


def as_reason(wrong: Mapping[str, str]) -> str:
    """What is wrong with a record, in one line, without any of its values."""
    told = "; ".join(f"{name}: {detail}" if name else detail for name, detail in wrong.items())
    return "".join(character if character.isprintable() else "?" for character in told)[:500]
