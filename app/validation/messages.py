"""Messages: what is wrong with a value, in words that do not quote it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
_BOUND = re.compile(r"Expected `\w+` (>=|>|<=|<) (\S+)")
_LENGTH = re.compile(r"Expected `(\w+)` of length (>=|<=) (\d+)")
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]+)`(?:, got `(?P<got>[^`]+)`)?")
_MULTIPLE = re.compile(r"a multiple of (\S+)")
_INVALID = re.compile(r"Invalid (.+?)(?: string)?(?: - at .*)?\Z")
_is_leap = re.compile(r"\d\d:\d\d:60(?!\d)").search
_BOUNDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}

_NOUNS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "object": "an object",
    "array": "an array",
    "datetime": "a date and time (RFC 3339)",
    "date": "a date (RFC 3339)",
    "time": "a time (RFC 3339)",
    "decimal": "a number",
    "uuid": "a UUID",
}
_PARTS = {"array": "item", "object": "member", "bytes": "byte"}
_SAYINGS = {
    "RFC3339 encoded date": "must be a date (RFC 3339)",
    "RFC3339 encoded time": "must be a time (RFC 3339)",
    "decimal": "must be a number",
    "UUID": "must be a UUID",
}


def to_message(error: ValueError, given: Any = None, *, words: str | None = None, choices: Sequence[Any] = ()) -> str:
    """What is wrong with what was `given`, without quoting it and without the decoder's jargon.

    `words` stand for a pattern.
    """
    text = str(error)
    if "matching regex" in text:
        return words or "must have the form that the document shows"
    if text.startswith("Invalid enum value"):
        return f"must be one of: {', '.join(map(str, choices))}" if choices else "is none of those that there are"
    if length := _LENGTH.search(text):
        part = _PARTS.get(length[1], "character")
        return f"{_BOUNDS[length[2]]} {length[3]} {part}{'' if length[3] == '1' else 's'}"
    if multiple := _MULTIPLE.search(text):
        return f"must be a multiple of {multiple[1]}"
    if "RFC3339" in text and isinstance(given, str) and _is_leap(given):
        return "a leap second cannot be stored: write :59"
    if (invalid := _INVALID.match(text)) and invalid[1] in _SAYINGS:
        return _SAYINGS[invalid[1]]
    if limit := _BOUND.search(text):
        return f"{_BOUNDS[limit[1]]} {limit[2]}"
    if (expected := _EXPECTED.search(text)) and expected["got"]:
        wanted = [_NOUNS.get(name.strip(), name.strip()) for name in expected["wanted"].split("|")]
        return f"must be {' or '.join(wanted)}"
    if "RFC3339" in text or "timezone" in text:
        return "must be a date and time with an offset (RFC 3339)"
    return text[0].lower() + text[1:].split(" - at ")[0].replace("`", "")
