"""Fuzzing: what schemathesis cannot know, as the document cannot say it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

# Of "ada@localhost" and the like, which have the format too, the service takes none.
schemathesis.openapi.format("email", st.integers(0, 10**12).map(lambda number: f"fuzz{number}@example.com"))


@schemathesis.hook
def before_call(_context: object, case: Any, _kwargs: object) -> None:
    """Have each request a key of its own: one that comes again with another body is refused."""
    key = (case.headers or {}).get("Idempotency-Key", "")
    if key.isascii() and key.isprintable() and " " not in key and 0 < len(key) < 256:
        case.headers["Idempotency-Key"] = str(uuid4())
