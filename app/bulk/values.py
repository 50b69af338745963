"""Values: what texts of files say: moments, ids, and whether somebody is active."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.validation.validator import in_utc

Reader = Callable[[Any, Counter[str]], Any]
"""Makes of a value what a field takes, and counts what is to be told. Raises: ValueError."""

_NO = frozenset(("f", "false", "0", "no", "n", "off", "null", "none"))
_YES = frozenset(("t", "true", "1", "yes", "y", "on", "active", "enabled"))
_OFF = frozenset(["inactive", "disabled", "suspended", "blocked", "banned", "deactivated", "deleted", "archived"])
_has_zone = re.compile(r"(.{10,})\s+(?:UTC|GMT|Z|([+-]\d\d:?\d\d))").fullmatch
_is_epoch = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}").fullmatch


def to_moment(given: Any, told: Counter[str]) -> datetime:
    """A time as others write it: ISO 8601, or seconds or milliseconds since 1970. Raises: ValueError."""
    text = str(given).strip()
    try:
        if _is_epoch(text) and not isinstance(given, bool):
            return datetime.fromtimestamp(float(text) / (1 if len(text.partition(".")[0]) < 12 else 1000), UTC)
        if found := _has_zone(text):
            text = found[1] + (found[2] or "Z")
        moment = datetime.fromisoformat(text if len(text) > 10 else "")
    except (ValueError, OverflowError):
        raise ValueError("must be a date and time (ISO 8601)") from None
    if moment.tzinfo is None:
        told["times without an offset were taken for UTC"] += 1
        return moment.replace(tzinfo=UTC)
    return in_utc(moment)


def to_id(given: Any, _: Counter[str]) -> int:
    """Raises: ValueError."""
    text = str(given).strip()
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text) or int(text) > 2**63 - 1:
        raise ValueError("must be a whole number from 1 on, if ids are to be kept")
    return int(text)


def is_active(value: Any, name: str) -> bool:
    """What a column of this name says, the contrary where it begins with a minus. Raises: ValueError."""
    said = str(value).strip().lower()
    if name.startswith("-"):
        return said in _NO or _is_over(value, name)
    if said not in _YES | _NO | _OFF:
        raise ValueError("must say yes or no; --null says which text is nothing")
    return said in _YES


def _is_over(value: Any, name: str) -> bool:
    try:
        return name.endswith(("until", "till")) and to_moment(value, Counter()) < datetime.now(UTC)
    except ValueError:
        return False
