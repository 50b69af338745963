"""Migrations: up, down and up again, each as a whole, and by as many at once as like to."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from advanced_alchemy.alembic.commands import AlembicCommands
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from anyio import to_thread

from app.database.engine import ROOT, configure_database
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.databases import alembic_commands, empty_database, engine_of, migrate
from tests.migrations import HEAD, INDEX, Newer, execute, rows, run, schema_of, upgrade_at_once


@pytest.fixture(params=["embedded", "contrib"])
async def empty(request: pytest.FixtureRequest) -> AsyncIterator[DatabaseUrl]:
    """On both servers: they have different extensions and collations."""
    async with empty_database(request.getfixturevalue("contrib") if request.param == "contrib" else None) as url:
        yield url


@pytest.fixture
def newer(tmp_path: Path) -> Newer:
    return Newer(shutil.copytree(ROOT / "alembic", tmp_path / "alembic"))


async def test_every_migration_goes_up_down_and_up_again(empty: DatabaseUrl) -> None:
    await migrate(empty)
    first = await schema_of(empty)

    await to_thread.run_sync(partial(alembic_commands(empty).downgrade, "base"))
    left = await schema_of(empty)
    await migrate(empty)

    assert {table for _, table, _, _ in left} == {"alembic_version", "schema_history"}
    assert await schema_of(empty) == first


async def test_the_models_say_what_the_migrations_made(empty: DatabaseUrl) -> None:
    await migrate(empty)

    await to_thread.run_sync(alembic_commands(empty).check)


async def test_ten_upgrades_at_once_leave_one_clean_schema(empty: DatabaseUrl) -> None:
    await upgrade_at_once(10, empty, ROOT / "alembic")

    async with empty_database(empty) as other:
        await migrate(other)
        assert await schema_of(empty) == await schema_of(other)


async def test_the_counters_go_back_to_what_they_were(empty: DatabaseUrl) -> None:
    await migrate(empty, "20261121_developers")
    before = await schema_of(empty)
    await migrate(empty)

    await to_thread.run_sync(partial(alembic_commands(empty).downgrade, "20261121_developers"))

    assert await schema_of(empty) == before


async def test_three_upgrades_at_once_make_an_index_without_a_lock(empty: DatabaseUrl, newer: Newer) -> None:
    newer.add("index", up=INDEX)
    await migrate(empty)

    await upgrade_at_once(3, empty, newer.scripts)

    assert await rows(empty, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_users_new'::regclass") == [(True,)]
    assert await rows(empty, "SELECT version_num FROM alembic_version") == [("index",)]


async def test_a_migration_that_fails_half_way_leaves_nothing(empty: DatabaseUrl, newer: Newer) -> None:
    await migrate(empty)
    before = await schema_of(empty)
    newer.add("half", up='op.execute("CREATE TABLE first_half (id int)"); op.execute("SELECT 1 / 0")')

    with pytest.raises(CommandError, match=r"^Migration half failed: division by zero \(22012\)$"):
        await migrate(empty, scripts=newer.scripts)

    assert await schema_of(empty) == before
    assert await rows(empty, "SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_a_failure_tells_no_value(empty: DatabaseUrl, newer: Newer) -> None:
    newer.add("cast", up="""op.get_bind().execute(sa.text("SELECT CAST(CAST(:it AS text) AS int)"), {"it": "hush"})""")

    with pytest.raises(CommandError) as failed:
        await migrate(empty, scripts=newer.scripts)

    assert str(failed.value) == "Migration cast failed: invalid input syntax for type integer: ... (22P02)"


@pytest.mark.parametrize("block", ["", "with op.get_context().autocommit_block(): "])
async def test_a_migration_takes_its_time_but_does_not_wait_long_for_a_table(
    empty: DatabaseUrl, newer: Newer, block: str
) -> None:
    asking = "CREATE TABLE told AS SELECT current_setting('lock_timeout') AS wait"
    newer.add("slow", up=f"""{block}op.execute("SELECT pg_sleep(1.2)")\n    op.execute("{asking}")""")
    config = configure_database(Settings(database_url=empty, db_statement_timeout=0.3))
    config.alembic_config.script_location = str(newer.scripts)

    await to_thread.run_sync(AlembicCommands(config).upgrade)

    assert await rows(empty, "SELECT wait FROM told") == [("5s",)]


async def test_sql_for_psql_makes_the_same_schema(empty: DatabaseUrl) -> None:
    sql = await run("alembic", "upgrade", "head", "--sql", url=empty, LOG_LEVEL="error")

    await execute(empty, sql)

    history = "SELECT revision, needs FROM schema_history"
    async with empty_database(empty) as other:
        await migrate(other)
        assert await schema_of(empty) == await schema_of(other)
        assert await rows(empty, history) == await rows(other, history)
    assert [sql.count(text) for text in ("BEGIN;", "SET LOCAL lock_timeout = '5s';", "COMMIT;")] == [1, 1, 1]


_LOCKED = """
SELECT mode FROM pg_locks WHERE relation = 'users'::regclass
AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'AccessExclusiveLock')
"""
_REVISIONS = [step.revision for step in ScriptDirectory(str(ROOT / "alembic")).walk_revisions()][-2::-1]


@pytest.mark.parametrize("revision", _REVISIONS)
async def test_an_upgrade_lets_go_on_to_write_who_has_read_before(contrib: DatabaseUrl, revision: str) -> None:
    async with empty_database(contrib) as url:
        await migrate(url, f"{revision}-1")
        engine = engine_of(url)
        async with engine.connect() as writer, asyncio.TaskGroup() as tasks:
            await writer.exec_driver_sql("BEGIN")
            await writer.exec_driver_sql("SELECT FROM users")
            upgrade = tasks.create_task(migrate(url, revision))
            while not (upgrade.done() or await rows(url, _LOCKED)):
                await asyncio.sleep(0.05)

            await writer.exec_driver_sql("INSERT INTO users (name, email, hashed_password) VALUES ('Ann', 'ann', '')")
            await writer.exec_driver_sql("COMMIT")

        await engine.dispose()
        assert await rows(url, "SELECT name FROM users") == [("Ann",)]


async def test_each_new_migration_is_read_alone(newer: Newer) -> None:
    lint = partial(run, "python", ".ci/sql.py", str(newer.scripts), url="")
    newer.add("index", up=INDEX)
    told = await lint()
    newer.add("blocking", up='op.create_index("ix_users_blocking", "users", ["name"])')

    with pytest.raises(subprocess.CalledProcessError) as failed:
        await lint()

    assert re.search(r"Found 0 issues in \d+ files", told)
    assert "blocking.sql" in failed.value.output
    assert "Found 1 issue in 1 file" in failed.value.output


async def test_a_changed_model_makes_a_dated_migration_that_runs(empty: DatabaseUrl, tmp_path: Path) -> None:
    for folder in ("app", "alembic"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    model = tmp_path / "app" / "resources" / "users" / "model.py"
    added = "    nickname: Mapped[str | None] = mapped_column(String(50), index=True)\n    created_at:"
    model.write_text(model.read_text().replace("    created_at:", added, 1))
    await migrate(empty)

    await run("litestar", "database", "make-migrations", "--no-prompt", "-m", "Add nicknames", cwd=tmp_path, url=empty)
    await migrate(empty, scripts=tmp_path / "alembic")
    told = await run("litestar", "database", "check", cwd=tmp_path, url=empty)

    today = datetime.now().astimezone()
    [made] = (tmp_path / "alembic/versions").glob(f"{today:%Y_%m_%d}_??????_add_nicknames.py")
    assert 'op.add_column("users", sa.Column("nickname", sa.String(length=50), nullable=True))' in made.read_text()
    assert 'op.create_index(op.f("ix_users_nickname"), "users", ["nickname"], unique=False)' in made.read_text()
    assert "No new upgrade operations detected" in told
    assert f'revision = "{today:%Y%m%d}_add_nicknames"' in made.read_text()
    await run("ruff", "check", str(made), cwd=tmp_path, url=empty)
    await run("ruff", "format", "--check", str(made), cwd=tmp_path, url=empty)
