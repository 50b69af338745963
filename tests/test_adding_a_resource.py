"""Adding a resource: docs/adding-a-resource.md, followed word for word in a copy, works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from app.database import embedded
from app.settings import load_settings

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs/adding-a-resource.md"
_BLOCK = re.compile(r"^`(?P<path>[\w./-]+)`\n\n```(?P<kind>python|diff)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
CHECKS = (
    ("ruff", "check", "--fix", "--quiet", "."),
    ("lint-imports",),
    ("pytest", "-n0", "-q", "tests/test_offices.py", "tests/test_projects.py", "tests/projects.py"),
)


def follow(guide: str, copy: Path) -> list[str]:
    """Do what the guide says; returns which files are new."""
    new = []
    for path, kind, text in _BLOCK.findall(guide):
        file = copy / path
        if kind == "diff":
            file.write_text(edit(file.read_text(), text))
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            new.append(path)
    return new


def edit(text: str, difference: str) -> str:
    """Apply a diff whose `+` lines follow, or replace, the line before them."""
    before = ""
    for line in difference.splitlines(keepends=True):
        sign, line = line[0], line[1:]
        if sign == "+":
            text = text.replace(before.removeprefix("-"), line if before.startswith("-") else before + line)
        else:
            assert text.count(line) == 1, line
            before = f"-{line}" if sign == "-" else line
    return text


def test_the_guide_works_word_for_word(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("app", "alembic", "tests", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", ".env.example"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy / name)

    new = follow(GUIDE.read_text(), copy)

    features = [path for path in new if path.startswith("app/") and not path.endswith("__init__.py")]
    assert (len(features), len(new)) == (8, 14)
    second = [path for path in new if "projects" in path and path != "tests/test_projects.py"]
    assert sum(len((copy / path).read_text().splitlines()) for path in second) <= 250
    for check in CHECKS:
        done = subprocess.run(
            [Path(sys.executable).with_name(check[0]), *check[1:]],
            cwd=copy,
            env={**os.environ, "TEST_DATABASE_URL": _server(), "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{check}: {done.stdout[-3000:]}{done.stderr[-1000:]}"


def _server() -> str:
    """The server of this run, so that the copy needs none of its own."""
    settings = load_settings()
    if settings.test_database_url is not None:
        return os.environ["TEST_DATABASE_URL"]
    return f"postgresql+asyncpg://postgres@/postgres?host={embedded.start(Path(settings.embedded_data_dir))}"
