"""Decoding: JSON in UTF-8, all at once, or an array item by item."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from app.problems import FieldError, Invalid, Malformed

LONGEST_ITEM = 64 * 1024
"""Characters of an item of an array that is parsed item by item."""
_SEPARATOR = re.compile(r"[ \t\r\n]*+([\[,\]]?)[ \t\r\n]*+")


def decode_json(raw: bytes) -> Any:
    """Parse JSON in UTF-8. Raises: Malformed."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # A lone surrogate is well-formed JSON that msgspec refuses: let the field that holds it be named.
    try:
        return json.loads(raw.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Malformed from None


def _refuse(name: str) -> None:
    raise ValueError(name)


_scan = json.JSONDecoder(parse_constant=_refuse).raw_decode


def decode_items(raw: bytes) -> Iterator[Any]:
    """Parse an array item by item, as nothing interrupts a parser. Raises: Malformed, Invalid.

    An array is often a file that was saved with a byte order mark, which RFC 8259 allows to be passed over.
    """
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise _malformed(error.object[: error.start].decode(), error.start, "not UTF-8") from None
    separator, position = _separator(text, 0)
    if separator != "[":
        if len(text) <= LONGEST_ITEM:
            decode_json(raw)
        raise Invalid([FieldError("must be an array", pointer="")])
    place, expected = 0, "["
    while separator == expected:
        try:
            item, length = _scan(text[position : position + LONGEST_ITEM])
        except (ValueError, RecursionError) as error:
            if len(text) - position <= LONGEST_ITEM or not _is_cut(error):
                raise _malformed(text, position + getattr(error, "pos", 0)) from None
            raise Invalid([FieldError(f"longer than {LONGEST_ITEM} characters", pointer=f"/{place}")]) from None
        yield item
        separator, position = _separator(text, position + length)
        place, expected = place + 1, ","
    if separator != "]" or position < len(text):
        raise _malformed(text, position)


def _is_cut(error: Exception) -> bool:
    """Whether an item may be good, but for its end, which was not looked at. An escape has up to 12 characters."""
    if not isinstance(error, json.JSONDecodeError):
        return True
    return error.msg.startswith("Unterminated") or error.pos > LONGEST_ITEM - 12


def _malformed(text: str, position: int, why: str = "not valid JSON") -> Malformed:
    line, column = text.count("\n", 0, position) + 1, min(position, len(text)) - text.rfind("\n", 0, position)
    return Malformed(f"The body is {why}: line {line}, column {column}")


def _separator(text: str, position: int) -> tuple[str, int]:
    """What stands between two items, and where the next one begins."""
    found = _SEPARATOR.match(text, position)
    return (found[1], found.end()) if found else ("", position)
