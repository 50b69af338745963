"""Commands for the schema: a line that a person understands, JSON for machines, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import partial
from pathlib import Path

import msgspec
import pytest
from advanced_alchemy.extensions.litestar.cli import database_group

import app.cli.database  # noqa: F401  # takes commands away
from app.cli.losses import losses
from app.database.engine import ROOT, configure_database
from app.settings import Settings
from tests.databases import empty_database, migrate
from tests.migrations import Newer, execute, rows, run
from tests.terminals import on_terminal

NOWHERE = "postgresql://ann:secret@nowhere.invalid:1,127.0.0.1:1/nothing"


@pytest.mark.parametrize(
    "command",
    [
        ("litestar", "database", "upgrade", "--no-prompt"),
        ("litestar", "database", "check"),
        ("alembic", "upgrade", "head"),
    ],
)
async def test_no_connection_is_one_line(command: tuple[str, ...]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        await run(*command, url=NOWHERE)

    told = "Error: Cannot use the database nothing on nowhere.invalid:1, 127.0.0.1:1: Connection refused\n"
    assert (failed.value.returncode, failed.value.output) == (1, told)


@pytest.mark.parametrize("command", [("litestar", "database", "upgrade", "--no-prompt"), ("alembic", "upgrade")])
async def test_an_unknown_revision_is_one_line(command: tuple[str, ...]) -> None:
    async with empty_database() as url:
        with pytest.raises(subprocess.CalledProcessError) as failed:
            await run(*command, "nonsense", url=url)

    told = "Error: Can't locate revision identified by 'nonsense'\n"
    assert (failed.value.returncode, failed.value.output) == (1, told)


async def test_without_a_terminal_an_upgrade_prints_json_and_the_second_time_nothing() -> None:
    async with empty_database() as url:
        upgrade = partial(run, "litestar", "database", "upgrade", "--no-prompt", url=url)
        first, again = await upgrade(), await upgrade()

    assert {json.loads(line)["event"].split()[0] for line in first.splitlines()} == {"Running"}
    assert again == ""


@pytest.mark.parametrize(
    "command", [("litestar", "database", "upgrade", "--no-prompt"), ("alembic", "upgrade", "head")]
)
async def test_a_database_that_is_not_there_is_one_line(command: tuple[str, ...]) -> None:
    async with empty_database() as url:
        gone = msgspec.structs.replace(url, url=url.url.set(database="no_such_database"))

        with pytest.raises(subprocess.CalledProcessError) as failed:
            await run(*command, url=gone)

    assert failed.value.returncode == 1
    assert failed.value.output.startswith("Error: Cannot use the database no_such_database")
    assert failed.value.output.endswith('database "no_such_database" does not exist (3D000)\n')


async def test_a_recount_before_the_first_upgrade_says_what_to_do() -> None:
    async with empty_database() as url:
        with pytest.raises(subprocess.CalledProcessError) as failed:
            await run("litestar", "database", "recount", url=url)

    told = "Error: The tables are not there yet: run `litestar database upgrade --no-prompt`\n"
    assert (failed.value.returncode, failed.value.output) == (1, told)


LONG = "2026_12_01_a_name_that_says_all_there_is_to_say_about_it"


async def test_a_revision_may_have_a_long_name(tmp_path: Path) -> None:
    newer = Newer(shutil.copytree(ROOT / "alembic", tmp_path / "alembic"))
    newer.add(LONG)
    async with empty_database() as url, empty_database() as older:
        await migrate(url, scripts=newer.scripts)
        await migrate(older)
        await execute(older, "ALTER TABLE alembic_version ALTER version_num TYPE varchar(32)")

        await migrate(older, scripts=newer.scripts)

        for database in (url, older):
            assert await rows(database, "SELECT version_num FROM alembic_version") == [(LONG,)]


async def test_a_database_that_cannot_hold_every_name_is_refused() -> None:
    async with empty_database(options="ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'") as url:
        with pytest.raises(subprocess.CalledProcessError) as failed:
            await run("litestar", "database", "upgrade", "--no-prompt", url=url)
        name = url.url.database

    told = (
        f"Error: The database {name} holds LATIN1, not UTF8. Make another, such as:"
        f" createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8 {name}_utf8\n"
    )
    assert (failed.value.returncode, failed.value.output) == (1, told)


async def test_what_harms_is_no_command() -> None:
    """Dumps of hashes for everybody to read, and the removal of half of the schema."""
    with pytest.raises(subprocess.CalledProcessError) as failed:
        await run("litestar", "database", "dump-data", "--table=users", url=NOWHERE)

    assert "No such command" in failed.value.output
    assert {"upgrade", "downgrade", "check"} <= database_group.commands.keys()
    assert not {"drop-all", "dump-data", "init"} & database_group.commands.keys()


async def test_a_check_reads_the_migrations_whatever_the_locale() -> None:
    check = partial(run, "litestar", "database", "check", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    async with empty_database() as url:
        await migrate(url)

        told = await check(url=url)

    assert told == "No new upgrade operations detected.\n"


@pytest.mark.parametrize("command", ["upgrade", "downgrade"])
async def test_nobody_is_asked_who_is_not_there(command: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        await run("litestar", "database", command, url=NOWHERE)

    told = "Error: --no-prompt is needed where nobody can be asked\n"
    assert (failed.value.returncode, failed.value.output) == (1, told)


async def test_a_downgrade_says_what_it_removes_before_it_does() -> None:
    async with empty_database() as url:
        await migrate(url)
        await execute(url, "INSERT INTO users (name, email, hashed_password) VALUES ('Ann', 'ann@example.com', 'x')")
        downgrade = partial(on_terminal, "litestar", "database", "downgrade", "20261125_cheap_counts", url=url)

        refused, told = await downgrade(answer="n")
        kept = await rows(url, "SELECT count(*) FROM sign_in_secret")
        agreed, _ = await downgrade(answer="y")
        left = await rows(url, "SELECT to_regclass('sign_in_secret')")

    assert "It removes the table sign_in_secret, rows: 1\n" in told
    assert "It removes the column users.is_admin, values: 1\n" in told
    assert "Running" not in told
    assert ((refused, kept), (agreed, left)) == ((1, [(1,)]), (0, [(None,)]))


ODD = {
    "up": """op.execute('CREATE TABLE "Odd Name" AS SELECT 1')
    op.execute("ALTER TABLE users ADD age int")""",
    "down": """op.execute('DROP TABLE IF EXISTS gone, "Odd Name" CASCADE')
    op.execute("ALTER TABLE public.users DROP COLUMN age, ALTER name DROP NOT NULL")""",
}


async def test_what_would_go_is_read_from_the_migrations(tmp_path: Path) -> None:
    newer = Newer(shutil.copytree(ROOT / "alembic", tmp_path / "alembic"))
    newer.add("odd", **ODD)
    newer.add("curious", down="op.get_bind().execute(sa.text('SELECT 1')).all()")
    async with empty_database() as url:
        await migrate(url, "odd", scripts=newer.scripts)
        config = configure_database(Settings(database_url=url))
        config.alembic_config.script_location = str(newer.scripts)

        async with config.get_engine().connect() as connection:
            found = await connection.run_sync(losses, config, "-1")
            await execute(url, "UPDATE alembic_version SET version_num = 'curious'")
            untold = await connection.run_sync(losses, config, "-1")
        await config.get_engine().dispose()

    assert found == ['the table "Odd Name", rows: 1', "the column public.users.age, values: 0"]
    assert untold == ["what its own code finds there"]
