"""Restoring: whatever is dumped, restored, renamed or forbidden, totals stay right or can be made right."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from anyio import to_thread
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.database.postgres import _programs
from app.operations.connection_budget import log_connection_budget
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.commands import Shell
from tests.contrib import programs
from tests.databases import as_text, empty_database, engine_of, migrate
from tests.test_counting import EXACT
from tests.test_counts import ADD, run

TABLES = ("--table=users", "--table=row_counts")
Program = Callable[..., None]


@pytest.fixture(params=["embedded", "contrib"])
async def program(request: pytest.FixtureRequest) -> tuple[Program, DatabaseUrl | None]:
    """Runs PostgreSQL's own programs, those of a server's version."""
    contrib = request.param == "contrib"
    server = request.getfixturevalue("contrib") if contrib else None
    folder = programs() if contrib else _programs()

    def execute(name: str, url: DatabaseUrl, *arguments: str) -> None:
        where = as_text(url).replace("+asyncpg", "")
        subprocess.run([str(folder / name), f"--dbname={where}", *arguments], check=True)

    return execute, server


@pytest.fixture
async def source(program: tuple[Program, DatabaseUrl | None]) -> AsyncIterator[DatabaseUrl]:
    """A database with nine users."""
    async with empty_database(program[1]) as url:
        await migrate(url)
        engine = engine_of(url)
        await run(engine, f"{ADD} FROM generate_series(1, 9) i")
        await engine.dispose()
        yield url


@pytest.fixture
async def target(program: tuple[Program, DatabaseUrl | None]) -> AsyncIterator[DatabaseUrl]:
    async with empty_database(program[1]) as url:
        yield url


async def totals(url: DatabaseUrl) -> dict[str, int]:
    engine = engine_of(url)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT table_name, sum(total) FROM row_counts GROUP BY 1"))
        counted = {table: int(total) for table, total in found}
    await engine.dispose()
    return {table: total for table, total in counted.items() if total}


@pytest.mark.parametrize(
    ("dump", "restores", "migrated"),
    [
        ((), [()], False),
        ((), [("--schema-only",), ("--data-only",)], False),
        ((), [("--schema-only",), ("--data-only", "--disable-triggers")], False),
        (TABLES, [("--data-only",)], True),
        (TABLES, [("--data-only", "--disable-triggers")], True),
    ],
    ids=["whole", "schema, then data", "schema, then data without triggers", "data", "data without triggers"],
)
async def test_a_restored_table_has_its_total(
    program: tuple[Program, DatabaseUrl | None],
    source: DatabaseUrl,
    target: DatabaseUrl,
    tmp_path: Path,
    dump: tuple[str, ...],
    restores: list[tuple[str, ...]],
    migrated: bool,
) -> None:
    file = str(tmp_path / "dump")
    if migrated:
        await migrate(target)

    program[0]("pg_dump", source, "-Fc", f"--file={file}", *dump)
    for restore in restores:
        program[0]("pg_restore", target, "--exit-on-error", "--no-owner", *restore, file)

    assert await totals(target) == {"users": 9}
    engine = engine_of(target)
    await run(engine, "DELETE FROM users WHERE email = 'u1@example.com'")
    await engine.dispose()
    assert await totals(target) == {"users": 8}


@pytest.fixture
async def migrated() -> AsyncIterator[DatabaseUrl]:
    async with empty_database() as url:
        await migrate(url)
        yield url


async def test_a_table_that_was_renamed_is_counted_as_before(migrated: DatabaseUrl) -> None:
    engine = engine_of(migrated)
    await run(
        engine, "ALTER TABLE users RENAME TO people", f"{ADD.replace('users', 'people')} FROM generate_series(1, 3) i"
    )

    async with engine.connect() as connection:
        off = await connection.scalar(text("SELECT recount('users')"))

    await engine.dispose()
    assert (off, await totals(migrated)) == (0, {"users": 3})


async def test_a_role_needs_rights_on_its_tables_only(migrated: DatabaseUrl) -> None:
    engine = engine_of(migrated)
    role = str(migrated.url.database)
    await run(engine, f"CREATE ROLE {role}", f"GRANT ALL ON users TO {role}")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SET ROLE {role}"))
            await connection.execute(text(f"{ADD} FROM generate_series(1, 3) i"))
            await connection.execute(text("DELETE FROM users WHERE email = 'u1@example.com'"))
            off = await connection.scalar(EXACT)
            with pytest.raises(DBAPIError, match="permission denied"):
                await connection.execute(text("UPDATE row_counts SET total = 0"))
            await connection.execute(text("RESET ROLE"))
    finally:
        await run(engine, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
        await engine.dispose()
    assert (off, await totals(migrated)) == (0, {"users": 2})


SPOILED = {
    "off": ("ALTER TABLE users DISABLE TRIGGER USER", f"{ADD} FROM generate_series(1, 3) i"),
    "gone": (f"{ADD} FROM generate_series(1, 3) i", "DELETE FROM row_counts"),
    "without triggers": (
        "DROP TRIGGER users_inserted ON users",
        "DROP TRIGGER users_deleted ON users",
        f"{ADD} FROM generate_series(1, 3) i",
    ),
}


@pytest.mark.parametrize("spoiled", SPOILED)
async def test_a_wrong_total_is_told_at_the_start_and_recounted(
    migrated: DatabaseUrl, caplog: pytest.LogCaptureFixture, spoiled: str
) -> None:
    caplog.set_level("WARNING")  # Whatever another test has configured.
    engine = engine_of(migrated)
    await run(engine, *SPOILED[spoiled])
    told = "The total of users is wrong: run `litestar database recount`"

    await to_thread.run_sync(log_connection_budget, Settings(database_url=migrated), 1)
    status = await to_thread.run_sync(Shell(migrated).start("database", "recount").wait)
    before = caplog.messages.copy()
    caplog.clear()
    await to_thread.run_sync(log_connection_budget, Settings(database_url=migrated), 1)

    assert (status, await totals(migrated)) == (0, {"users": 3})
    assert told in before
    assert told not in caplog.messages
    await engine.dispose()


async def test_a_recount_holds_up_nobody(migrated: DatabaseUrl) -> None:
    engine = engine_of(migrated)
    await run(engine, f"{ADD} FROM generate_series(1, 3) i", "UPDATE row_counts SET total = 8")
    writing = engine_of(msgspec.structs.replace(migrated)).execution_options(isolation_level="READ COMMITTED")
    async with writing.connect() as open_one:
        await open_one.execute(text(f"{ADD} FROM generate_series(4, 5) i"))

        async with engine.connect() as connection:
            off = await connection.scalar(text("SELECT recount('users')"))
        await open_one.commit()

    assert (off, await totals(migrated)) == (-5, {"users": 5})
    await writing.dispose()
    await engine.dispose()


_TAKEN = "LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''taken''; END'"
_FUNCTIONS = {
    "random()": "double precision",
    "mod(int, int)": "int",
    "pg_backend_pid()": "int",
    "current_setting(text)": "text",
    "pg_try_advisory_xact_lock(int, int)": "boolean",
    "counted(bigint)": "bigint",
}
_OPERATORS = [
    ("=", "text", "text", "boolean"),
    ("=", "int", "int", "boolean"),
    ("=", "bigint", "int", "boolean"),
    ("+", "bigint", "bigint", "bigint"),
    ("-", "int", "bigint", "bigint"),
    (">", "double precision", "double precision", "boolean"),
]
TRAPS = [
    *(f"CREATE FUNCTION mine.{name} RETURNS {result} {_TAKEN}" for name, result in _FUNCTIONS.items()),
    "CREATE AGGREGATE mine.count(*) (SFUNC = mine.counted, STYPE = bigint, INITCOND = 0)",
    *(
        statement
        for number, (sign, left, right, result) in enumerate(_OPERATORS)
        for statement in (
            f"CREATE FUNCTION mine.f{number}({left}, {right}) RETURNS {result} {_TAKEN}",
            f"CREATE OPERATOR mine.{sign} (FUNCTION = mine.f{number}, LEFTARG = {left}, RIGHTARG = {right})",
        )
    ),
    "CREATE FUNCTION mine.count_elsewhere(text, int, bigint) RETURNS void " + _TAKEN,
    "CREATE TEMP TABLE row_counts (LIKE public.row_counts)",
]
"""What a caller may put before what the counting uses."""


async def test_counting_takes_nothing_of_its_callers(migrated: DatabaseUrl) -> None:
    """It runs with its owner's rights, and without a `search_path` of its own, which cost an insert a tenth."""
    engine = engine_of(migrated)
    role = str(migrated.url.database)
    made = f"CREATE ROLE {role}", f"CREATE SCHEMA mine AUTHORIZATION {role}"
    await run(engine, *made, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SET ROLE {role}"))
            for statement in TRAPS:
                await connection.execute(text(statement))
            await connection.execute(text("SET search_path = mine, pg_catalog"))
            one = ADD.replace("INTO users", "INTO public.users").replace("|| i ||", "|| i::text ||")
            await connection.execute(text(f"{one} FROM unnest('{{{{0}}}}'::int[]) i"))
            await connection.execute(text("TRUNCATE public.users CASCADE"))
            # Often enough for a writer who takes in what others left, too.
            for n in range(1, 200):
                await connection.execute(text(f"{one} FROM unnest('{{{{{n}}}}}'::int[]) i"))
            await connection.execute(text("DELETE FROM public.users WHERE email LIKE 'u1@%'"))
            await connection.execute(text("RESET search_path"))
            await connection.execute(text("RESET ROLE"))
            settings = await connection.scalar(text("SELECT proconfig FROM pg_proc WHERE proname = 'count_rows'"))
    finally:
        await run(engine, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")
        await engine.dispose()
    assert (settings, await totals(migrated)) == (None, {"users": 198})
