"""Security: each test that docs/security.md names is there."""

from __future__ import annotations

import re

import pytest

from app.database.engine import ROOT

NAMED = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (ROOT / "docs/security.md").read_text())


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_what_the_page_names_is_tested(file: str, name: str) -> None:
    [path] = (ROOT / "tests").rglob(file)

    assert f"def {name}(" in path.read_text()


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 20
