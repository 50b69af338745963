"""Drafts: a migration that `make-migrations` writes reads as those that are there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from advanced_alchemy.types import DateTimeUTC
from anyio import to_thread
from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Identity, Table
from sqlalchemy.schema import CreateTable

from app.database.engine import ROOT
from app.database.model import Model
from tests.databases import alembic_commands, empty_database, migrate
from tests.migrations import run

INTEGER = BigInteger().with_variant(BigInteger(), "sqlite")


@pytest.fixture
def offices() -> Iterator[Table]:
    """A table that the models have and no migration."""
    table = Table(
        "offices",
        Model.metadata,
        Column("id", INTEGER, Identity(), primary_key=True),
        Column("owner_id", INTEGER, ForeignKey("users.id"), nullable=False),
        Column("opened_at", DateTimeUTC(timezone=True), nullable=False),
        Column("budget", BigInteger, nullable=False),
        CheckConstraint("budget >= 0", name="budget"),
        CheckConstraint("budget < 9", name="ck_offices_small"),
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
    assert "advanced_alchemy" not in text
    assert 'sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False)' in text
    assert 'sa.CheckConstraint("budget >= 0", name=op.f("ck_offices_budget"))' in text
    assert 'sa.CheckConstraint("budget < 9", name=op.f("ck_offices_small"))' in text
    await run("ruff", "check", str(made), url=url)
    await run("ruff", "format", "--check", str(made), url=url)


def test_the_name_of_a_check_is_not_doubled(offices: Table) -> None:
    told = str(CreateTable(offices))

    assert "CONSTRAINT ck_offices_budget CHECK" in told
    assert "CONSTRAINT ck_offices_small CHECK" in told
