"""Rejects: what was refused, written so that it can be mended and read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from app.bulk.batches import Reject
from app.bulk.formats import guarded, write_csv
from app.bulk.source import Unparsable


def as_csv(rejects: Sequence[Reject], *, is_guarded: bool = False) -> bytes:
    cells = [getattr(reject.given, "cells", reject.given) for reject in rejects]
    rows = [map(guarded, row) for row in cells] if is_guarded else cells
    return write_csv([(reject.line, reject.reason, *row) for reject, row in zip(rejects, rows, strict=True)])


def as_json_lines(rejects: Sequence[Reject]) -> bytes:
    # In ASCII, as a lone surrogate may be what is wrong.
    return b"".join(json.dumps(_fields(reject)).encode() + b"\n" for reject in rejects)


def _fields(reject: Reject) -> dict[str, Any]:
    """What cannot be an object stands in `record`."""
    given = reject.given.cells[0] if isinstance(reject.given, Unparsable) else reject.given
    fields = {"line": reject.line, "reason": reject.reason}
    return fields | (
        {"record": given} if not isinstance(given, dict) else {n: given[n] for n in given if n not in fields}
    )
