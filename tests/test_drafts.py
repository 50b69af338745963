"""Drafts: a migration that `make-migrations` writes reads as those that are there."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from advanced_alchemy.types import DateTimeUTC
from alembic.script import ScriptDirectory
from anyio import to_thread
from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Identity, Table
from sqlalchemy.schema import CreateTable

from app.cli.models import load_tables
from app.database.engine import ROOT
from app.database.model import Model
from tests.databases import alembic_commands, empty_database, migrate
from tests.migrations import run

NOWHERE = "postgresql://ann@127.0.0.1:1/x"
INTEGER = BigInteger().with_variant(BigInteger(), "sqlite")


@pytest.fixture
def offices() -> Iterator[Table]:
    """A table that the models have and no migration."""
    load_tables()
    table = Table(
        "offices",
        Model.metadata,
        Column("id", INTEGER, Identity(), primary_key=True),
        Column("owner_id", INTEGER, ForeignKey("users.id"), nullable=False),
        Column("opened_at", DateTimeUTC(timezone=True), nullable=False),
        Column("budget", BigInteger, nullable=False),
        CheckConstraint("budget >= 0", name="budget"),
        CheckConstraint("budget < 9", name="ck_offices_small"),
        info={"counted": True},
    )
    yield table
    Model.metadata.remove(table)


async def test_a_draft_reads_as_the_others(offices: Table, tmp_path: Path) -> None:
    scripts = shutil.copytree(ROOT / "alembic", tmp_path / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    async with empty_database() as url:
        await migrate(url)
        commands = alembic_commands(url, scripts)
        revise = partial(commands.revision, "create offices", autogenerate=True, rev_id="20261201_offices")

        await to_thread.run_sync(revise)
        await migrate(url, scripts=scripts)
        await to_thread.run_sync(commands.check)

    (made,) = set((scripts / "versions").glob("*_create_offices.py"))
    text = made.read_text()
    assert "sqlite" not in text
    assert "###" not in text
    assert "info=" not in text
    assert "advanced_alchemy" not in text
    assert 'sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False)' in text
    assert 'sa.CheckConstraint("budget >= 0", name=op.f("ck_offices_budget"))' in text
    assert 'sa.CheckConstraint("budget < 9", name=op.f("ck_offices_small"))' in text
    await run("ruff", "check", str(made), url=url)
    await run("ruff", "format", "--check", str(made), url=url)


def test_the_folder_shows_migrations_in_their_order() -> None:
    script = ScriptDirectory(str(ROOT / "alembic"))

    order = [Path(revision.path).name for revision in script.walk_revisions()][::-1]

    assert order == sorted(order)


async def test_drafts_of_one_day_stand_in_their_order(tmp_path: Path) -> None:
    for folder in ("app", "alembic"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    draft = partial(run, "litestar", "database", "make-migrations", "--no-prompt", "--no-autogenerate", "-m")
    versions = tmp_path / "alembic/versions"
    there = set(versions.glob("*.py"))

    await draft("Zoo", cwd=tmp_path, url=NOWHERE)
    first = (set(versions.glob("*.py")) - there).pop()
    written = first.read_text()
    await asyncio.sleep(1)  # Nobody drafts twice in a second, which is what names tell.
    await draft("Ant", cwd=tmp_path, url=NOWHERE)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        await draft("Zoo", cwd=tmp_path, url=NOWHERE)

    assert [path.name[18:] for path in sorted(set(versions.glob("*.py")) - there)] == ["zoo.py", "ant.py"]
    assert re.fullmatch(r"Error: There is a migration \d{8}_zoo already: .*\n", failed.value.output)
    assert first.read_text() == written


def test_the_name_of_a_check_is_not_doubled(offices: Table) -> None:
    told = str(CreateTable(offices))

    assert "CONSTRAINT ck_offices_budget CHECK" in told
    assert "CONSTRAINT ck_offices_small CHECK" in told
