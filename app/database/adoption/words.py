"""Words: names as PostgreSQL quotes them, and lists as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.dialects import postgresql

_LONGEST_NAME = 63

quoted = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def listed(things: Iterable[object]) -> str:
    """`a, b and c`."""
    *others, last = map(str, things)
    return f"{', '.join(others)} and {last}" if others else last


def counted(count: int, thing: str, ending: str = "s") -> str:
    return f"{count:,} {thing}{'' if count == 1 else ending}"


def set_aside(name: str, taken: Iterable[str]) -> str:
    """Another name for what has one of ours."""
    ending, number, known = "_before", 1, set(taken)
    while (other := name.encode()[: _LONGEST_NAME - len(ending)].decode(errors="ignore") + ending) in known:
        number += 1
        ending = f"_before_{number}"
    return other


def rows(ids: Sequence[object], count: int) -> str:
    """`id 3 and 7`, or the first of many."""
    return f"id {listed(ids)}" if count <= len(ids) else f"id {', '.join(map(str, ids))}, ..."
