"""Adding a resource: docs/adding-a-resource.md, followed word for word in a copy, works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, get_origin

import pytest

from app.database.engine import ROOT
from app.repository import filters
from app.validation import fields
from tests.guides import check, copy_to, follow

GUIDE = ROOT / "docs/adding-a-resource.md"


@pytest.mark.skipif((ROOT / "app/resources/offices").exists(), reason="the guide has been followed here")
def test_the_guide_works_word_for_word(tmp_path: Path) -> None:
    copy = copy_to(tmp_path)

    new = follow(GUIDE.read_text(), copy)

    features = [path for path in new if path.startswith("app/") and not path.endswith("__init__.py")]
    assert (len(features), len(new)) == (8, 14)
    second = [path for path in new if "projects" in path and path != "tests/test_projects.py"]
    assert sum(len((copy / path).read_text().splitlines()) for path in second) <= 250
    check(copy, "ruff", "check", "--fix", "--quiet", ".")
    check(copy, "ruff", "format", "--check", ".")
    check(copy, "lint-imports")
    check(copy, "python", ".ci/sql.py")
    # Whoever knows all resources: nobody else has to.
    others = ("test_readme.py", "test_docs.py", "test_crud.py", "test_adding_a_resource.py", "projects.py")
    check(
        copy,
        "pytest",
        "-n0",
        "-q",
        "tests/test_offices.py",
        "tests/test_projects.py",
        *(f"tests/{name}" for name in others),
    )


def test_the_guide_names_every_type_and_filter() -> None:
    listed = re.findall(r"^\| `(.*)` \|", GUIDE.read_text().split("## Types and filters")[1], re.MULTILINE)

    named = {re.split(r"\W", name)[0] for names in listed for name in names.split("`, `")} | {"Address"}
    ready = {name for name, kind in vars(fields).items() if get_origin(kind) is Annotated}
    makes = {
        name for name, made in vars(filters).items() if getattr(made, "__annotations__", {}).get("return") == "Filter"
    }
    assert named == ready | makes
