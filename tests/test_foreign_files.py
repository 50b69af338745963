"""Files of other systems: each ends in the right people, or in one sentence that says what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.bulk.batches import batches
from app.bulk.mapping import FieldMap
from app.bulk.records import Reading, Records
from app.bulk.source import RecordsError
from app.credentials.passwords import Passwords
from app.resources.users.records import USERS

FOLDER = Path(__file__).parent / "files"
FILES: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())
"""What each is read with, who comes in, and what is said of the others."""


def told(
    file: str, mapped: Sequence[str] = (), nulls: Sequence[str] = (), bare: bool = False, **said: Any
) -> tuple[list[str], str]:
    """Who comes in, and what is said of the others or of the file. A hash makes an address end in +."""
    target = USERS.target(Passwords())
    people, words = [], []
    with (FOLDER / file).open("rb") as source:
        try:
            records = Records(source, FieldMap(target.terms(), mapped, nulls), Reading(**said))
            for batch in batches(records, target, may_lack_secrets=bare):
                for _, row in batch.rows:
                    secret = "+" if row.hashed_password else "-" if row.password is None else ""
                    people.append(f"{row.name} <{row.email}>{secret}{' inactive' if row.active is False else ''}")
                words += [f"line {reject.line}: {reject.reason}" for reject in batch.rejects]
        except RecordsError as error:
            return [], str(error)
    return people, "; ".join(words)


@pytest.mark.parametrize("file", FILES)
def test_a_file_gives_its_people_or_says_what_to_do(file: str) -> None:
    expected = FILES[file]

    people, words = told(file, **expected.get("with", {}))

    assert (people, words) == (expected.get("people", []), expected.get("told", ""))
