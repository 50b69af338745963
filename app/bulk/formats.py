"""Formats: rows as CSV or JSON lines, and reasons in a line."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

Format = Literal["csv", "jsonl"]

REJECTED = ("line", "reason")
"""What stands before the cells of a rejected record; left out when they are read again."""
# With its guard, so that what was written with one keeps it.
_is_formula = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]").match  # noqa: RUF001  # wide ones count, too

Encode = Callable[[Iterable[Sequence[Any]]], bytes]


def encoder(file_format: Format, names: Sequence[str], *, for_spreadsheet: bool = False) -> tuple[bytes, Encode]:
    """What a file of these columns begins with, and how rows are written."""
    if for_spreadsheet:
        return codecs.BOM_UTF8 + _write_for_spreadsheet([names]), _write_for_spreadsheet
    if file_format == "csv":
        return write_csv([names]), write_csv
    encode = msgspec.json.Encoder().encode
    return b"", lambda rows: b"".join(encode(dict(zip(names, row, strict=True))) + b"\n" for row in rows)


def write_csv(rows: Iterable[Sequence[Any]]) -> bytes:
    written = _plain(rows)
    text = _csv(written, csv.QUOTE_MINIMAL)
    # Python below 3.13 leaves a carriage return without quotes.
    return (_csv(written, csv.QUOTE_ALL) if "\r" in text else text).encode()


def _write_for_spreadsheet(rows: Iterable[Sequence[Any]]) -> bytes:
    return _csv([[guarded(value) for value in row] for row in _plain(rows)], csv.QUOTE_MINIMAL, "\r\n").encode()


def guarded(value: Any) -> Any:
    """What a spreadsheet shows instead of computing it."""
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _plain(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [[value.isoformat() if hasattr(value, "isoformat") else value for value in row] for row in rows]


def _csv(rows: Iterable[Sequence[Any]], quoting: Literal[0, 1], ending: str = "\n") -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator=ending, quoting=quoting).writerows(rows)
    return text.getvalue()


def to_reason(errors: Mapping[str, str]) -> str:
    """What is wrong with a record, in one line, without any of its values."""
    reasons = "; ".join(f"{name}: {detail}" if name else detail for name, detail in errors.items())
    return "".join(character if character.isprintable() else "?" for character in reasons)[:500]
