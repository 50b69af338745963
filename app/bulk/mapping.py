"""Mapping: which column of a file, or which path in an object, is which field of a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.bulk.names import Place, Places, parse_map
from app.bulk.source import Unparsable
from app.bulk.values import Reader
from app.problems import Malformed
from app.validation.decoding import decode_json

_MOST_PLANS = 1_000
"""Of objects, each may have names of its own."""


class Terms(msgspec.Struct, frozen=True):
    """How files of a kind are read."""

    fields: Sequence[str]
    required: Sequence[str]
    readers: Mapping[str, Reader] = {}
    flag: str = ""
    """The field that says whether somebody is active."""
    flags: Sequence[str] = ()
    """Columns that say so; those with a minus say the contrary."""


class Plan(msgspec.Struct):
    plain: list[tuple[str, int]]
    made: list[tuple[str, list[list[Place]]]]
    flags: list[tuple[Place, str]]


class FieldMap:
    """Names are compared without case, blanks and punctuation, unless one is exactly so."""

    def __init__(self, terms: Terms, given: Sequence[str] = (), nulls: Sequence[str] = ()) -> None:
        self._terms = terms
        self._said = parse_map(given, [*terms.fields, *filter(None, [terms.flag])])
        self._nulls = ("", None, *nulls)
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._flags = [part for parts in self._said.pop(terms.flag, []) for part in parts] or terms.flags
        self.ignored: dict[str, None] = {}
        self.told: Counter[str] = Counter()

    def lacks(self, names: Sequence[str]) -> str:
        """What a header does not name; nothing if it names all."""
        said = [part for source in self._said.values() for parts in source for part in parts]
        places = Places(names)
        if lost := [part for part in said if places.find(part) is None]:
            return f"no column is called {', '.join(lost)}"
        fields = [name for name in self._terms.required if name not in self._said and places.find(name) is None]
        return f"missing: {', '.join(fields)}" if fields else ""

    def take(self, names: tuple[str, ...], cells: Sequence[Any]) -> dict[str, Any] | Unparsable:
        """The fields of a record. Raises: RecordsError."""
        if (plan := self._plans.get(names)) is None:
            plan = self._plan(names)
            if len(self._plans) < _MOST_PLANS:
                self._plans[names] = plan
        nulls = self._nulls
        given = {field: cells[place] for field, place in plan.plain if cells[place] not in nulls}
        for field, source in plan.made:
            if (value := self._made(source, cells)) not in nulls:
                given[field] = value
        said = [(value, name) for (at, path), name in plan.flags if (value := _dig(cells[at], path)) not in nulls]
        if said:
            given[self._terms.flag] = said
        for field, read in self._terms.readers.items():
            if field in given:
                try:
                    given[field] = read(given[field], self.told)
                except ValueError as error:
                    return Unparsable(f"{field}: {error}", cells)
        return given

    def _plan(self, names: tuple[str, ...]) -> Plan:
        places = Places(names)
        plan = Plan([], [], [])
        said = {
            field: [[places.find(part) for part in parts] for parts in source] for field, source in self._said.items()
        }
        # What was said to be another field is not the one that it is called.
        for field in self._terms.fields:
            found = said[field] if field in said else [[places.find(field, unused=field not in self._terms.required)]]
            source = [[place for place in parts if place is not None] for parts in found]
            if len(source) == 1 and len(source[0]) == 1 and not source[0][0][1]:
                plan.plain.append((field, source[0][0][0]))
            elif any(source):
                plan.made.append((field, source))
        for name in self._flags:
            if (place := places.find(name.removeprefix("-"))) is not None:
                plan.flags.append((place, name))
        for name in places.unused():
            if len(self.ignored) < _MOST_PLANS:
                self.ignored[name] = None
        return plan

    def _made(self, source: list[list[Place]], cells: Sequence[Any]) -> Any:
        """The first that is not empty; several are joined by blanks."""
        for parts in source:
            values = [_dig(cells[place], path) for place, path in parts]
            if len(values) == 1 and values[0] not in self._nulls:
                return values[0]
            if joined := " ".join(filter(None, (_text(value) for value in values if value not in self._nulls))):
                return joined
        return None


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _dig(value: Any, path: Sequence[str]) -> Any:
    """What a path leads to, through objects, arrays, and texts that are JSON."""
    for step in path:
        if isinstance(value, str):
            try:
                value = decode_json(value.encode())
            except Malformed:
                return None
        if isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value
