"""Media types: what a body says that it is, and whether this service understands that (RFC 9110, 8.3.1)."""

from __future__ import annotations

import re
from functools import lru_cache

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PARAMETER = rf'[ \t]*+;[ \t]*+(?:({_WORD})=({_WORD}|"(?:[^"\\]|\\.)*"))?'
_media_type = re.compile(rf"({_WORD}/{_WORD})((?:{_PARAMETER})*)[ \t]*+").fullmatch
_parameters = re.compile(_PARAMETER).findall


@lru_cache(64)
def json_type(content_type: str) -> str | None:
    """Which type of JSON in UTF-8 this is, of those that mean here what they say; None for anything else."""
    found = _media_type(content_type)
    if found is None or (name := found[1].lower()) not in (JSON, MERGE_PATCH):
        return None
    charsets = [value for key, value in _parameters(found[2]) if key.lower() == "charset"]
    return name if all(_unquoted(charset).lower() in ("utf-8", "utf8") for charset in charsets) else None


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
