"""Schema history: an older version knows whether it may run on a newer schema."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from anyio import to_thread

from app import create_app
from app.database.engine import ROOT
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.databases import alembic_commands, empty_database, migrate
from tests.migrations import HEAD, NICKNAME, Newer, execute, rows, run
from tests.problems import problem, problem_of

HISTORY = "SELECT revision, needs FROM schema_history ORDER BY ctid"


@pytest.fixture
async def migrated() -> AsyncIterator[DatabaseUrl]:
    async with empty_database() as url:
        await migrate(url)
        yield url


@pytest.fixture
def newer(tmp_path: Path) -> Newer:
    return Newer(shutil.copytree(ROOT / "alembic", tmp_path / "alembic"))


@asynccontextmanager
async def service(url: DatabaseUrl) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(database_url=url, log_format="json", log_level="error"))
    async with app.lifespan(), client_of(app) as client:
        yield client


def outdated(detail: str) -> dict[str, object]:
    return problem(503, "schema_outdated", detail)


async def test_an_older_version_serves_an_expanded_schema_and_not_a_contracted_one(
    migrated: DatabaseUrl, newer: Newer
) -> None:
    async with service(migrated) as client:
        newer.add("expand", **NICKNAME)
        await migrate(migrated, scripts=newer.scripts)
        expanded, read = await client.get("/health/ready"), await client.get("/users/1")
        newer.add("contract", needs="expand")
        await migrate(migrated, scripts=newer.scripts)
        contracted = await client.get("/health/ready")
        await to_thread.run_sync(partial(alembic_commands(migrated, newer.scripts).downgrade, "-1"))
        back = await client.get("/health/ready")

    assert (expanded.status_code, read.status_code, back.status_code) == (200, 404, 200)
    assert problem_of(contracted) == outdated("The schema has been contracted beyond this version")


async def test_a_contraction_that_this_version_can_live_with_is_ready(migrated: DatabaseUrl, newer: Newer) -> None:
    newer.add("contract", needs=HEAD)

    await migrate(migrated, scripts=newer.scripts)

    async with service(migrated) as client:
        assert (await client.get("/health/ready")).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        "UPDATE alembic_version SET version_num = 'foreign'; DROP TABLE schema_history",
        f"UPDATE alembic_version SET version_num = 'branch'; DELETE FROM schema_history WHERE revision = '{HEAD}';"
        " INSERT INTO schema_history VALUES ('branch')",
        "DROP TABLE alembic_version, schema_history",
        "DROP TABLE alembic_version, schema_history, users CASCADE",
    ],
)
async def test_what_is_not_a_newer_schema_of_ours_is_not_ready(migrated: DatabaseUrl, changed: str) -> None:
    async with service(migrated) as client:
        await execute(migrated, changed)
        ready = await client.get("/health/ready")

    assert (ready.status_code, ready.json()["code"]) == (503, "schema_outdated")


async def test_a_request_on_missing_tables_is_told_so(migrated: DatabaseUrl) -> None:
    async with service(migrated) as client:
        await execute(migrated, "DROP TABLE users CASCADE")
        read = await client.get("/users/1")

    assert problem_of(read) == outdated("The schema is not the one that this version needs")
    assert read.headers["retry-after"] == "1"


async def test_the_upgrade_of_an_older_version_has_nothing_to_do(migrated: DatabaseUrl, newer: Newer) -> None:
    newer.add("expand", **NICKNAME)
    newer.add("contract", needs="expand")
    await migrate(migrated, scripts=newer.scripts)
    before = await rows(migrated, HISTORY)

    by_litestar = await run("litestar", "database", "upgrade", "--no-prompt", url=migrated, LOG_FORMAT="console")
    by_alembic = await run("alembic", "upgrade", "head", url=migrated)

    for told in (by_litestar, by_alembic):
        assert "Nothing to do: the schema is newer than this version, which cannot use it" in told
        assert told.count("\n") == 1
    assert await rows(migrated, HISTORY) == before
    assert await rows(migrated, "SELECT version_num FROM alembic_version") == [("contract",)]


async def test_a_revision_of_somebody_else_is_not_a_newer_one(migrated: DatabaseUrl) -> None:
    await execute(migrated, "UPDATE alembic_version SET version_num = 'foreign'; TRUNCATE schema_history")

    with pytest.raises(
        CommandError, match=r"^Can't locate revision identified by 'foreign', where .* another application"
    ):
        await migrate(migrated)


async def test_the_history_follows_upgrades_downgrades_and_stamps(migrated: DatabaseUrl, newer: Newer) -> None:
    newer.add("expand")
    newer.add("contract", needs="expand")
    commands = alembic_commands(migrated, newer.scripts)
    steps = [partial(commands.upgrade, "head"), partial(commands.downgrade, "-1")]
    steps += [partial(commands.stamp, revision) for revision in ("20261121_counts", "contract", "base")]

    seen = []
    for step in steps:
        await to_thread.run_sync(step)
        seen.append(await rows(migrated, HISTORY))

    revisions = list(ScriptDirectory(str(ROOT / "alembic")).walk_revisions())[::-1]
    old = [(one.revision, getattr(one.module, "needs", None)) for one in revisions]
    expanded = [*old, ("expand", None)]
    contracted = [*expanded, ("contract", "expand")]
    assert seen == [contracted, expanded, old[:2], contracted, []]


@pytest.mark.parametrize("later", [False, True])
async def test_a_database_from_before_is_ready_and_gets_its_history_at_the_next_upgrade(
    migrated: DatabaseUrl, newer: Newer, later: bool
) -> None:
    first = await rows(migrated, HISTORY)
    await execute(migrated, "DROP TABLE schema_history")
    async with service(migrated) as client:
        ready = await client.get("/health/ready")
    if later:
        newer.add("expand")

    await migrate(migrated, scripts=newer.scripts)

    assert ready.status_code == 200
    assert await rows(migrated, HISTORY) == first + [("expand", None)] * later


async def test_what_a_migration_needs_comes_before_it(migrated: DatabaseUrl, newer: Newer) -> None:
    newer.add("wrong", needs="20261121_develpoers")

    with pytest.raises(CommandError, match=r"^wrong needs 20261121_develpoers, which is no revision before it$"):
        await migrate(migrated, scripts=newer.scripts)
