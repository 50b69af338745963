"""Migrations: newer ones than the project has, and looks at what they did."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
from alembic.script import ScriptDirectory
from anyio import to_thread
from sqlalchemy import text

from app.database.engine import ROOT
from app.settings.database_url import DatabaseUrl
from tests.databases import as_text, engine_of

HEAD = str(ScriptDirectory(str(ROOT / "alembic")).get_current_head())

INDEX = """with op.get_context().autocommit_block():
        op.drop_index("ix_users_new", if_exists=True, postgresql_concurrently=True)
        op.create_index("ix_users_new", "users", ["name"], if_not_exists=True, postgresql_concurrently=True)"""
"""An index on a large table, without a lock on it, and again after half of it has failed."""

NICKNAME = {
    "up": 'op.add_column("users", sa.Column("nickname", sa.Text()))',
    "down": 'op.drop_column("users", "nickname")',
}
"""A column that older code does not notice."""

_REVISION = '''
"""{name}"""
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = {name!r}, {after!r}, None, None
needs = {needs!r}

def upgrade():
    {up}

def downgrade():
    {down}
'''


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


class Newer:
    """The migrations of a version that is yet to come."""

    def __init__(self, scripts: Path) -> None:
        self.scripts = scripts
        self._head = HEAD

    def add(self, name: str, *, up: str = "pass", down: str = "pass", needs: str | None = None) -> None:
        source = _REVISION.format(name=name, after=self._head, needs=needs, up=up, down=down)
        (self.scripts / "versions" / f"{name}.py").write_text(source)
        self._head = name


async def rows(url: DatabaseUrl, sql: str) -> list[tuple[Any, ...]]:
    engine = engine_of(url)
    async with engine.connect() as connection:
        found = [tuple(row) for row in await connection.execute(text(sql))]
    await engine.dispose()
    return found


async def schema_of(url: DatabaseUrl) -> list[tuple[str, ...]]:
    """Every column, index, constraint, trigger and function."""
    return await rows(url, _SCHEMA)


async def execute(url: DatabaseUrl, sql: str) -> None:
    """Run a script as psql does."""
    connection = await asyncpg.connect(as_text(url).replace("+asyncpg", ""))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def run(program: str, *arguments: str, cwd: Path = ROOT, url: DatabaseUrl | str, **settings: str) -> str:
    """What a program of this environment prints. Raises: CalledProcessError."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    environment = {**os.environ, "DATABASE_URL": url if isinstance(url, str) else as_text(url), **settings}

    def wait() -> str:
        kept = subprocess.STDOUT
        return subprocess.check_output(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stderr=kept, text=True
        )

    return await to_thread.run_sync(wait)


_AT_ONCE = """
import os
from app.settings import load_settings
from tests.databases import alembic_commands

children = []
for _ in range({count}):
    child = os.fork()
    if child == 0:
        alembic_commands(load_settings().database_url, {scripts!r}).upgrade("head")
        os._exit(0)
    children.append(child)
raise SystemExit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


async def upgrade_at_once(count: int, url: DatabaseUrl | str, scripts: Path) -> None:
    """Upgrade by several processes. Raises: CalledProcessError, whose status is how many of them failed."""
    program = _AT_ONCE.format(count=count, scripts=str(scripts))
    await run("python", "-c", program, url=url, PYTHONPATH=str(ROOT))
