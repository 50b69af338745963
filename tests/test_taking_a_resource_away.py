"""Taking a resource away: docs/make-it-yours.md, followed word for word in a copy, leaves the rest whole."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from app.database.engine import ROOT
from tests.guides import check, copy_to, follow

GUIDE = (ROOT / "docs/make-it-yours.md").read_text()
FAST = ("test_docs.py", "test_readme.py", "test_crud.py", "test_users.py", "test_names.py")
MIGRATED = "test_the_models_say or test_every_migration_goes or test_the_counters_go_back"
OF_THE_OLD_SERVICE = ("test_adoption.py", "test_adoption_refused.py", "test_same_answers.py")
TAKEN_OVER = "becomes_ours and embedded-recipe or numbers_go_on or every_reason or differences"
NAMED_STILL = {"CHANGELOG.md", "docs/make-it-yours.md", "docs/cut-over.md", "tests/test_migrations.py", ".ci/sql.py"}
ADOPTED = {"adoptions.py", "recipes.py", "test_adoption.py", "test_adoption_refused.py", "test_adoption_runs.py"}
"""The table of the FastAPI service is theirs, whether or not there is a resource."""


def test_developers_can_be_taken_away(tmp_path: Path) -> None:
    copy = copy_to(tmp_path)

    for command in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL):
        subprocess.run(["bash", "-euc", command], cwd=copy, check=True)
    follow(GUIDE, copy)

    theirs = {"app/database/adoption/shapes.py", *(f"tests/{name}" for name in ADOPTED)}
    assert named(copy) - NAMED_STILL - theirs == set()
    check(copy, "ruff", "check", ".")
    check(copy, "ruff", "format", "--check", ".")
    check(copy, "lint-imports")
    check(copy, "python", ".ci/sql.py")
    check(copy, "pytest", "-n0", "-q", "--collect-only", "tests")
    check(copy, "pytest", "-n0", "-q", *(f"tests/{name}" for name in FAST))
    check(copy, "pytest", "-n0", "-q", *(f"tests/{name}" for name in OF_THE_OLD_SERVICE), "-k", TAKEN_OVER)
    check(copy, "pytest", "-n0", "-q", "tests/test_migrations.py", "-k", f"embedded and ({MIGRATED})")


def named(copy: Path) -> set[str]:
    """Files that still speak of developers; old migrations and the benchmarks may."""
    found = (path for end in ("*.py", "*.md", "*.toml", "*.yaml", "run") for path in copy.rglob(end))
    paths = {str(path.relative_to(copy)) for path in found if "developer" in path.read_text().lower()}
    return {path for path in paths if not path.startswith(("alembic/", "benchmarks/"))}
