"""Adoption, run: it asks, waits for nobody for long, does all or nothing, and says what to do next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from alembic.util import CommandError
from anyio import to_thread

from app.database.engine import ROOT
from app.database.postgres import _programs
from app.settings.database_url import DatabaseUrl
from tests.adoptions import adopt, adopt_and_upgrade, check, missing, psql
from tests.databases import empty_database, engine_of, migrate
from tests.migrations import execute, rows, run, schema_of
from tests.recipes import MIGRATED, RECIPE


@pytest.fixture
async def recipe() -> AsyncIterator[DatabaseUrl]:
    async with empty_database() as url:
        await execute(url, RECIPE)
        yield url


async def test_a_takeover_that_cannot_have_the_table_leaves_everything(recipe: DatabaseUrl) -> None:
    before = await schema_of(recipe)
    engine = engine_of(recipe)
    async with engine.connect() as reader:
        await reader.exec_driver_sql("BEGIN")
        await reader.exec_driver_sql("SELECT FROM users")

        failed = await adopt(recipe, "--no-prompt")

    await engine.dispose()
    assert failed.exit_code == 1
    assert failed.output.endswith(
        "Error: Nothing was changed: another transaction did not let go of a table (55P03): pg_stat_activity or"
        " pg_prepared_xacts has it\n"
    )
    assert await schema_of(recipe) == before


async def test_who_writes_to_a_table_that_refers_to_ours_is_let_go_on(recipe: DatabaseUrl) -> None:
    await execute(recipe, "CREATE TABLE orders (user_id int REFERENCES users)")
    asked = "SELECT mode FROM pg_locks WHERE relation = 'orders'::regclass AND mode = 'AccessExclusiveLock'"
    engine = engine_of(recipe)
    async with engine.connect() as writer, asyncio.TaskGroup() as tasks:
        await writer.exec_driver_sql("BEGIN")
        await writer.exec_driver_sql("LOCK TABLE orders IN ROW EXCLUSIVE MODE")
        adoption = tasks.create_task(adopt(recipe, "--no-prompt"))
        while not await rows(recipe, asked):
            assert not adoption.done()
            await asyncio.sleep(0.05)

        await writer.exec_driver_sql("INSERT INTO orders VALUES (1)")
        await writer.exec_driver_sql("COMMIT")

    await engine.dispose()
    assert (await adoption).exit_code == 0
    assert await rows(recipe, "TABLE orders") == [(1,)]


async def test_a_takeover_that_is_killed_half_way_leaves_everything(recipe: DatabaseUrl) -> None:
    kill = "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END"
    await execute(
        recipe,
        f"CREATE FUNCTION kill() RETURNS event_trigger LANGUAGE plpgsql AS $$ {kill} $$;"
        "CREATE EVENT TRIGGER kill ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION kill()",
    )
    before = await schema_of(recipe)

    failed = await adopt(recipe, "--no-prompt")

    await execute(recipe, "DROP EVENT TRIGGER kill")
    assert failed.exit_code == 1
    assert await schema_of(recipe) == before


async def test_nothing_is_changed_before_a_person_says_yes(recipe: DatabaseUrl) -> None:
    before = await schema_of(recipe)

    for options, stdin, status in ((["--dry-run"], "", 0), (["--sql"], "", 0), ([], "n\n", 1), ([], "", 1)):
        assert (await adopt(recipe, *options, stdin=stdin)).exit_code == status

    assert await schema_of(recipe) == before
    assert "Take them over? [y/N]: y\nDone" in (await adopt(recipe, stdin="y\n")).output


async def test_an_upgrade_before_says_what_to_do() -> None:
    for shape in (RECIPE, MIGRATED):
        async with empty_database() as url:
            await execute(url, shape)

            with pytest.raises(CommandError) as failed:
                await migrate(url)

            told = "There is a table users of another service: `litestar database adopt` takes it over"
            assert str(failed.value) == told


async def test_a_database_without_tables_has_nothing_to_adopt() -> None:
    async with empty_database() as url:
        told = await run("litestar", "database", "adopt", "--no-prompt", url=url)

    assert told == "Nothing to do: there are no tables to take over, `litestar database upgrade` makes new ones\n"


async def test_what_the_page_says_to_do_before_leaves_no_table_to_be_written_anew(recipe: DatabaseUrl) -> None:
    page = (ROOT / "docs/cut-over.md").read_text()
    script = page.split("\n## Large tables\n")[1].split("```sql\n")[1].split("```")[0]
    await execute(recipe, "INSERT INTO developers (name, email, specialty) VALUES ('Ann', 'ann@example.com', 'c')")

    await to_thread.run_sync(psql, _programs(), recipe, script)
    planned = (await adopt(recipe, "--dry-run")).output.split("developers, ")[0]
    await execute(recipe, "INSERT INTO users (name, email, hashed_password) VALUES ('Bo', 'bo@example.com', '')")
    await adopt_and_upgrade(recipe)

    assert "widened" not in planned
    assert "made: ix_users_created_at\n" in planned
    assert await rows(recipe, "SELECT max(id) FROM users") == [(31,)]
    assert await missing(recipe) == []
    await check(recipe)
