"""JSON values: one after another out of a text, of which no more than one is held, and a piece of the next."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from app.bulk.source import LONGEST_LINE, RecordsError, checked

_PIECE = 64 * 1024
"""Characters that are read at a time."""
_LONGEST_ESCAPE = 12
_blanks = re.compile(r"[ \t\r\n]*+").match
_blanks_and_commas = re.compile(r"[ \t\r\n,]*+").match


def _refuse(name: str) -> None:
    raise ValueError(name)


scan = json.JSONDecoder(parse_constant=_refuse).raw_decode


class Values:
    """Values one after another, of which no more than one is held, and a piece of the next."""

    def __init__(self, text: io.TextIOWrapper, begun: str, number: int) -> None:
        self._text = text
        self._buffer, self._place, self._number = begun, 0, number

    def items(self) -> Iterator[tuple[int, Any]]:
        """What an array holds; behind it anything may stand."""
        if self.next() != "[":
            raise self._wrong("an array of records is expected here")
        self._expect("[")
        yield from self.following("]")

    def following(self, end: str = "") -> Iterator[tuple[int, Any]]:
        """Objects, with commas in between or without, up to the character that ends them."""
        while (character := self.next(_blanks_and_commas)) != end:
            if character != "{":
                raise self._wrong("an object is expected here, as every record is one")
            number = self._number
            yield number, self._value()

    def enter(self, name: str) -> None:
        """Go to the value of a name. Raises: RecordsError."""
        self._expect("{")
        names: list[str] = []
        while self.next(_blanks_and_commas) == '"':
            names.append(self._value())
            self._expect(":")
            if names[-1] == name:
                return
            self.next()
            self._value()
        raise RecordsError(f"nothing is called {name}, where records should be; found: {', '.join(names[:30])}")

    def next(self, passed: Callable[[str, int], re.Match[str] | None] = _blanks) -> str:
        """The next character that is to be looked at; none at the end."""
        while True:
            if found := passed(self._buffer, self._place):
                self._go(found.end())
            if self._place < len(self._buffer) or not self._more():
                return self._buffer[self._place : self._place + 1]

    def _expect(self, character: str) -> None:
        if self.next() != character:
            raise self._wrong(f"{character} is expected here")
        self._go(self._place + 1)

    def _go(self, place: int) -> None:
        self._number += self._buffer.count("\n", self._place, place)
        self._place = place

    def _more(self) -> bool:
        left = self._buffer[self._place :]
        # As much again, so that a long value is not parsed over and over.
        size = max(_PIECE, len(left))
        try:
            piece = checked(lambda: self._text.read(size), self._text.encoding)()
        except RecordsError as error:
            raise self._wrong(f"here or below: {error}") from None
        self._buffer, self._place = left + piece, 0
        return bool(piece)

    def _value(self) -> Any:
        while True:
            try:
                given, end = scan(self._buffer, self._place)
            except (ValueError, RecursionError) as error:
                wrong = self._wrong("not valid JSON", getattr(error, "pos", 0))
                if not self._is_cut(error) or not self._more():
                    raise wrong from None
                continue
            self._go(end)
            return given

    def _is_cut(self, error: Exception) -> bool:
        """Whether a value may be good, but for its end, which was not read yet."""
        if not isinstance(error, json.JSONDecodeError) or len(self._buffer) - self._place > 16 * LONGEST_LINE:
            return False
        return error.msg.startswith("Unterminated") or error.pos > len(self._buffer) - _LONGEST_ESCAPE

    def _wrong(self, told: str, place: int = 0) -> RecordsError:
        line = self._number + self._buffer.count("\n", self._place, max(place, self._place))
        return RecordsError(f"line {line}: {told}")
