"""Upgrades: through PgBouncer as without it, by several at once, even where it has only one connection to give."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.database.engine import ROOT
from tests.faults.postgres import PrivatePostgres
from tests.faults.test_pgbouncer import pgbouncer
from tests.migrations import INDEX, NICKNAME, Newer, run, upgrade_at_once


@pytest.fixture
def newer(tmp_path: Path) -> Newer:
    return Newer(shutil.copytree(ROOT / "alembic", tmp_path / "alembic"))


@pytest.mark.parametrize("servers", [6, 1])
async def test_three_upgrades_at_once_through_pgbouncer(postgres: PrivatePostgres, newer: Newer, servers: int) -> None:
    newer.add("expand", **NICKNAME)
    newer.add("index", up=INDEX)

    async with pgbouncer(postgres.port, servers) as port:
        url = f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres?prepared_statement_cache_size=0"
        await upgrade_at_once(3, url, newer.scripts)
        again = await run("litestar", "database", "upgrade", "--no-prompt", url=url, LOG_FORMAT="console")

    [valid] = await postgres.fetch("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_users_new'::regclass")
    history = await postgres.fetch("SELECT revision FROM schema_history JOIN alembic_version ON version_num = revision")
    assert (valid[0], [record["revision"] for record in history]) == (True, ["index"])
    assert "Nothing to do: the schema is newer than this version" in again.splitlines()[-1]
    await postgres.until("SELECT FROM pg_locks WHERE locktype = 'advisory'", 0)
