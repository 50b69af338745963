"""Migrations: up, down and up again, all or nothing, and by as many at once as like to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory
from anyio import to_thread
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.database import ROOT
from app.database_url import DatabaseUrl
from tests.databases import alembic_commands, as_text, empty_database, engine_of, migrate

_SCHEMA = """
SELECT 'column', table_name, column_name, data_type || coalesce(character_maximum_length::text, '')
    || is_nullable || is_identity || coalesce(column_default, '')
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', '', proname, prosrc
FROM pg_proc JOIN pg_language ON prolang = pg_language.oid
WHERE pronamespace = 'public'::regnamespace AND lanname IN ('sql', 'plpgsql')
ORDER BY 1, 2, 3
"""
_TEN_AT_ONCE = """
import os
from advanced_alchemy.alembic.commands import AlembicCommands
from app.application import create_app
from app.database import configure_database
from app.settings import load_settings

children = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        AlembicCommands(configure_database(load_settings())).upgrade("head")
        os._exit(0)
    children.append(child)
raise SystemExit(any(os.waitpid(child, 0)[1] for child in children))
"""
_HALF = '''
"""Fail half-way"""
from alembic import op
revision, down_revision, branch_labels, depends_on = "half", {head!r}, None, None

def upgrade():
    op.execute("CREATE TABLE first_half (id int)")
    op.execute("SELECT 1 / 0")

def downgrade():
    pass
'''


@pytest.fixture(params=["embedded", "contrib"])
async def empty(request: pytest.FixtureRequest) -> AsyncIterator[DatabaseUrl]:
    """On both servers: they have different extensions and collations."""
    async with empty_database(request.getfixturevalue("contrib") if request.param == "contrib" else None) as url:
        yield url


def head_of(scripts: Path) -> str | None:
    return ScriptDirectory(str(scripts)).get_current_head()


async def schema_of(url: DatabaseUrl) -> list[tuple[str, ...]]:
    """Every column, index, constraint, trigger and function."""
    engine = engine_of(url)
    async with engine.connect() as connection:
        found = [tuple(row) for row in await connection.execute(text(_SCHEMA))]
    await engine.dispose()
    return found


async def run(program: str, *arguments: str, cwd: Path, url: DatabaseUrl) -> str:
    """What a program of this environment prints. Raises: CalledProcessError."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    environment = {**os.environ, "DATABASE_URL": as_text(url)}

    def wait() -> str:
        kept = subprocess.STDOUT
        return subprocess.check_output(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stderr=kept, text=True
        )

    return await to_thread.run_sync(wait)


async def test_every_migration_goes_up_down_and_up_again(empty: DatabaseUrl) -> None:
    await migrate(empty)
    first = await schema_of(empty)

    await to_thread.run_sync(partial(alembic_commands(empty).downgrade, "base"))
    left = await schema_of(empty)
    await migrate(empty)

    assert {table for _, table, _, _ in left} == {"alembic_version"}
    assert await schema_of(empty) == first


async def test_the_models_say_what_the_migrations_made(empty: DatabaseUrl) -> None:
    await migrate(empty)

    await to_thread.run_sync(alembic_commands(empty).check)


async def test_ten_upgrades_at_once_leave_one_clean_schema(empty: DatabaseUrl) -> None:
    await run("python", "-c", _TEN_AT_ONCE, cwd=ROOT, url=empty)

    async with empty_database(empty) as other:
        await migrate(other)
        assert await schema_of(empty) == await schema_of(other)


async def test_the_sql_of_the_migrations_does_what_they_do(empty: DatabaseUrl) -> None:
    sql = await run("alembic", "upgrade", "head", "--sql", cwd=ROOT, url=empty)
    driver = await asyncpg.connect(as_text(empty).replace("+asyncpg", ""))

    await driver.execute("".join(line for line in sql.splitlines(True) if not line.startswith("INFO")))

    await driver.close()
    async with empty_database(empty) as other:
        await migrate(other)
        assert await schema_of(empty) == await schema_of(other)


async def test_the_counters_go_back_to_what_they_were(empty: DatabaseUrl) -> None:
    await migrate(empty, "20261121_developers")
    before = await schema_of(empty)
    await migrate(empty)

    await to_thread.run_sync(partial(alembic_commands(empty).downgrade, "20261121_developers"))

    assert await schema_of(empty) == before


async def test_a_migration_that_fails_half_way_leaves_nothing(empty: DatabaseUrl, tmp_path: Path) -> None:
    scripts = shutil.copytree(ROOT / "alembic", tmp_path / "alembic")
    (scripts / "versions" / "half.py").write_text(_HALF.format(head=head_of(ROOT / "alembic")))

    with pytest.raises(DBAPIError):
        await migrate(empty, scripts=scripts)

    assert await schema_of(empty) == []


async def test_a_migration_waits_for_a_tables_lock_no_longer_than_five_seconds(
    empty: DatabaseUrl, tmp_path: Path
) -> None:
    scripts = shutil.copytree(ROOT / "alembic", tmp_path / "alembic")
    asking = _HALF.replace("SELECT 1 / 0", "CREATE TABLE told AS SELECT current_setting('lock_timeout') AS wait")
    (scripts / "versions" / "half.py").write_text(asking.format(head=head_of(ROOT / "alembic")))

    await migrate(empty, scripts=scripts)

    engine = engine_of(empty)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT wait FROM told")) == "5s"
    await engine.dispose()


async def test_a_changed_model_makes_a_dated_migration_that_runs(empty: DatabaseUrl, tmp_path: Path) -> None:
    for folder in ("app", "alembic"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    model = tmp_path / "app" / "users" / "model.py"
    added = "    nickname: Mapped[str | None] = mapped_column(String(50), index=True)\n    created_at:"
    model.write_text(model.read_text().replace("    created_at:", added, 1))
    await migrate(empty)

    await run("litestar", "database", "make-migrations", "--no-prompt", "-m", "Add nicknames", cwd=tmp_path, url=empty)
    await migrate(empty, scripts=tmp_path / "alembic")
    told = await run("litestar", "database", "check", cwd=tmp_path, url=empty)

    made = tmp_path / "alembic" / "versions" / f"{datetime.now(UTC):%Y_%m_%d}_add_nicknames.py"
    assert 'op.add_column("users", sa.Column("nickname", sa.String(length=50), nullable=True))' in made.read_text()
    assert 'op.create_index(op.f("ix_users_nickname"), "users", ["nickname"], unique=False)' in made.read_text()
    assert "No new upgrade operations detected" in told
    await run("ruff", "check", str(made), cwd=tmp_path, url=empty)
    await run("ruff", "format", "--check", str(made), cwd=tmp_path, url=empty)
