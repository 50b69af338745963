"""Notes: what somebody has to know besides the counts, gathered while records go by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.bulk.batches import Reject

_NULLS = frozenset(
    ["NULL", "\\N", "null", "Null", "None", "nil", "(null)", "<null>", "<NULL>", "N/A", "#N/A", "undefined"]
)


class Notes:
    def __init__(self, *, flag: str, keeps_ids: bool, nulls: Sequence[str]) -> None:
        self._flag = flag
        self._keeps_ids = keeps_ids
        self._suspects = _NULLS - set(nulls)
        self._nulls: set[str] = set()
        self._with_ids = self._with_nulls = self._bad_nulls = self._inactive = 0

    def add(self, rows: Sequence[tuple[int, Any]], staged: Sequence[Sequence[Any]], rejects: Sequence[Reject]) -> None:
        self._with_ids += sum(row.id is not None for _, row in rows)
        self._with_nulls += self._count_nulls(staged)
        self._bad_nulls += self._count_nulls([reject.given for reject in rejects if isinstance(reject.given, list)])
        if self._flag:
            self._inactive += sum(getattr(row, self._flag) is False for _, row in rows)

    def _count_nulls(self, rows: Sequence[Sequence[Any]]) -> int:
        found = [row for row in rows if not self._suspects.isdisjoint(row)]
        self._nulls.update(*(self._suspects.intersection(row) for row in found))
        return len(found)

    def told(self, *, is_empty: bool) -> list[str]:
        texts = "NULL or \\N" if self._nulls <= {"NULL", "\\N"} else " or ".join(sorted(self._nulls))
        said, anew = "--null says which text stands for nothing", self._with_ids and not self._keeps_ids
        bad = not self._with_nulls and self._bad_nulls
        told = {
            "the file holds no records": is_empty,
            f"ids are given anew, those in the file ({self._with_ids:,}) are not kept": anew,
            f"{texts} came in as a text, in records ({self._with_nulls:,}); {said}": self._with_nulls,
            f"{texts} stands in records that were rejected ({self._bad_nulls:,}); {said}": bad,
            f"accounts that are not active, here as in the file: {self._inactive:,}": self._inactive,
        }
        return [note for note, is_so in told.items() if is_so]
