"""Names: of columns and of members of objects, as people say them and as files spell them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.bulk.formats import REJECTED
from app.bulk.source import RecordsError

Place = tuple[int, Sequence[str]]
"""A column, and the path inside what it holds."""


class Places:
    """Where names stand."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._folded = list(map(folded, names))
        self._used: set[int] = set()

    def find(self, wanted: str, *, unused: bool = False) -> Place | None:
        """Raises: RecordsError, where a name stands twice."""
        name, dots, path = wanted, "", ""
        while True:
            found = [place for place, there in enumerate(self._names) if there == name] or [
                place for place, there in enumerate(self._folded) if there and there == folded(name)
            ]
            if len(found) > 1:
                raise RecordsError(f"more than one column is called {self._names[found[0]]}")
            if unused and self._used.intersection(found):
                return None
            if found:
                self._used.add(found[0])
                return found[0], path.split(".") if path else ()
            name, dots, last = name.rpartition(".")
            if not dots:
                return None
            path = f"{last}.{path}" if path else last

    def unused(self) -> list[str]:
        return [name for n, name in enumerate(self._names) if name and n not in self._used and name not in REJECTED]


def folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def parse_map(given: Sequence[str], fields: Sequence[str]) -> dict[str, list[list[str]]]:
    """`name=First+Last|Nick,email=Mail` as {field: [[parts to be joined], or else ...]}. Raises: RecordsError."""
    said: dict[str, list[list[str]]] = {}
    for text in given:
        for part in re.split(rf",(?=\s*(?:{'|'.join(fields)})\s*=)", text):
            field, is_said, source = part.partition("=")
            if field.strip() not in fields or not is_said or not source.strip():
                raise RecordsError(f"--map takes FIELD=COLUMN, where FIELD is one of {', '.join(fields)}")
            said[field.strip()] = [[name.strip() for name in one.split("+")] for one in source.split("|")]
    return said
