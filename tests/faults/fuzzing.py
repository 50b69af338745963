"""Fuzzing: what schemathesis cannot know, as the document cannot say it."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

# Of "ada@localhost" and the like, which have the format too, the service takes none.
schemathesis.openapi.format("email", st.integers(0, 10**12).map(lambda number: f"fuzz{number}@example.com"))
