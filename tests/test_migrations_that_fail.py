"""Migrations that cannot be read, or do not fit the database: a line that says what to do, and other commands go on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from alembic.util import CommandError
from anyio import to_thread

from app.cli.database import plain_errors
from app.database.engine import ROOT
from app.database.history import load_scripts
from app.settings.database_url import DatabaseUrl
from tests.databases import alembic_commands, empty_database, migrate
from tests.migrations import Newer, execute, run


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Migrations that a test may break."""
    return shutil.copytree(ROOT / "alembic", tmp_path / "alembic", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture
async def migrated() -> AsyncIterator[DatabaseUrl]:
    async with empty_database() as url:
        await migrate(url)
        yield url


async def fails(work: Callable[[], object]) -> str:
    """What `litestar database ...` says when it ends with 1."""

    def told() -> str:
        try:
            with plain_errors():
                work()
        except SystemExit as ended:
            return str(ended)
        raise AssertionError("it did not fail")

    return await to_thread.run_sync(told)


BROKEN = {
    "syntax": ("def (\n", "line 1: invalid syntax"),
    "name": ("revision = lost\n", "line 1: name 'lost' is not defined"),
    "parent": (
        'revision, down_revision, branch_labels, depends_on = "x", "lost", None, None\n',
        "a migration revises 'lost', which is none: mend its down_revision, or bring that one along",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_migration_that_cannot_be_read_is_named(scripts: Path, kind: str) -> None:
    text, reason = BROKEN[kind]
    (scripts / "versions/broken.py").write_text(text)

    with pytest.raises(CommandError) as failed:
        load_scripts(scripts)

    assert str(failed.value).startswith(str(scripts / "versions"))
    assert str(failed.value).endswith(reason)


async def test_a_migration_that_cannot_be_read_stops_only_what_needs_it(scripts: Path, migrated: DatabaseUrl) -> None:
    """Two commands of their own, as the service is put together anew for each."""
    (scripts / "versions/broken.py").write_text(BROKEN["parent"][0])
    shutil.copytree(ROOT / "app", scripts.parent / "app")
    shutil.copy(ROOT / "pyproject.toml", scripts.parent)
    command = partial(run, "litestar", "--app=app:create_app", cwd=scripts.parent, url=migrated)

    with pytest.raises(subprocess.CalledProcessError) as failed:
        await command("database", "heads")
    listed = await command("users", "list")

    assert failed.value.returncode == 1
    assert failed.value.output.startswith("Error: ")
    assert failed.value.output.count("\n") == 1
    assert listed.startswith("ID  NAME  EMAIL")


async def test_two_heads_are_told_how_to_merge(scripts: Path, migrated: DatabaseUrl) -> None:
    for name in ("one", "two"):
        Newer(scripts).add(name)
    commands = alembic_commands(migrated, scripts)

    told = await fails(commands.upgrade)
    commands.merge("heads", message="Merge")
    await to_thread.run_sync(commands.upgrade)

    assert told.endswith(": run `litestar database merge heads -m Merge`")


async def test_what_another_branch_has_made_is_told(scripts: Path, migrated: DatabaseUrl) -> None:
    Newer(scripts).add("mine")
    await execute(migrated, "UPDATE alembic_version SET version_num = 'theirs'")
    commands = alembic_commands(migrated, scripts)

    for work in (commands.upgrade, commands.check, partial(commands.downgrade, "-1")):
        told = await fails(work)

        expected = "Error: Can't locate revision identified by 'theirs', where the database is: another branch"
        assert told.startswith(expected)
        assert "remove .postgres" in told


async def test_a_database_that_is_another_applications_is_told() -> None:
    async with empty_database() as url:
        await execute(url, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        await execute(url, "INSERT INTO alembic_version VALUES ('0f3c9a')")

        told = await fails(alembic_commands(url).upgrade)

    assert "'0f3c9a', where the database is: another application did that" in told


async def test_a_draft_on_a_database_that_is_behind_says_what_to_do_first(scripts: Path, migrated: DatabaseUrl) -> None:
    Newer(scripts).add("newer")

    told = await fails(partial(alembic_commands(migrated, scripts).revision, "x", autogenerate=True))

    assert told == "Error: Target database is not up to date. Run `litestar database upgrade` first."


async def test_a_difference_is_told_what_to_do(migrated: DatabaseUrl) -> None:
    await execute(migrated, "ALTER TABLE users DROP COLUMN created_at")

    told = await fails(alembic_commands(migrated).check)

    assert told.startswith("Error: New upgrade operations detected: ")
    assert told.endswith("Run `litestar database make-migrations`, or mend the models")


async def test_a_table_of_somebody_else_is_left_alone(migrated: DatabaseUrl) -> None:
    await execute(
        migrated, "CREATE TABLE django_migrations (id int PRIMARY KEY); CREATE INDEX ON django_migrations (id)"
    )

    await to_thread.run_sync(alembic_commands(migrated).check)
