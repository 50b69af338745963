"""Rejects: what was refused, written so that it can be mended and read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from app.bulk.formats import REJECTED, write_csv
from app.bulk.importer import Reject
from app.bulk.records import Unparsable


def as_csv(rejects: Sequence[Reject], names: Sequence[str]) -> bytes:
    return write_csv([(reject.line, reject.reason, *_cells(reject.given, names)) for reject in rejects])


def _cells(given: Any, names: Sequence[str]) -> Sequence[str]:
    return given.cells if isinstance(given, Unparsable) else [given.get(name, "") for name in names]


def as_json_lines(rejects: Sequence[Reject]) -> bytes:
    return b"".join(
        # In ASCII, as a lone surrogate may be what is wrong.
        json.dumps(
            dict(zip(REJECTED, (reject.line, reject.reason), strict=True)) | _fields(reject.given),
            default=datetime.isoformat,
        ).encode()
        + b"\n"
        for reject in rejects
    )


def _fields(given: Any) -> dict[str, Any]:
    """What cannot be an object stands in `record`."""
    if isinstance(given, Unparsable):
        return {"record": given.cells[0]}
    if isinstance(given, msgspec.Struct):
        return {name: value for name, value in msgspec.structs.asdict(given).items() if value is not None}
    return given if isinstance(given, dict) else {"record": given}
