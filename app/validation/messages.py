"""Messages: what is wrong with a value, in words that do not quote it."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
_BOUND = re.compile(r"Expected `\w+` (>=|>|<=|<) (\S+)")
_LENGTH = re.compile(r"of length (>=|<=) (\d+)")
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]+)`(?:, got `(?P<got>[^`]+)`)?")
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
}


def in_words(error: ValueError) -> str:
    """What is wrong, without the rejected value and without the decoder's jargon."""
    text = str(error)
    if length := _LENGTH.search(text):
        bound = "at least" if length[1] == ">=" else "at most"
        return f"{bound} {length[2]} character{'' if length[2] == '1' else 's'}"
    if limit := _BOUND.search(text):
        return f"{_BOUNDS[limit[1]]} {limit[2]}"
    if (expected := _EXPECTED.search(text)) and expected["got"]:
        wanted = [_NOUNS.get(name.strip(), name.strip()) for name in expected["wanted"].split("|")]
        return f"must be {' or '.join(wanted)}"
    if "RFC3339" in text or "timezone" in text:
        return "must be a date and time with an offset (RFC 3339)"
    return text[0].lower() + text[1:].split(" - at ")[0].replace("`", "")
