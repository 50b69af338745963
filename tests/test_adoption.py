"""Adoption: the databases of FastAPI services become ours, with every row, and nothing of theirs is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from alembic.util import CommandError

from app.database.adoption.doubts import needed_relations
from app.database.adoption.plan import functions_of
from app.database.adoption.shapes import SHAPES
from app.database.engine import ROOT
from app.database.history import load_scripts
from app.database.postgres import _programs
from app.settings.database_url import DatabaseUrl
from tests.adoptions import adopt, adopt_and_upgrade, check, missing, psql
from tests.contrib import programs
from tests.databases import empty_database, migrate
from tests.migrations import execute, rows, schema_of
from tests.recipes import MIGRATED, PLAIN, RECIPE

TOTALS = "SELECT CAST(sum(total) AS int) FROM row_counts GROUP BY table_name ORDER BY table_name DESC"
VERSIONS = "SELECT version_num FROM alembic_version"


@pytest.fixture(params=["embedded", "contrib"])
async def theirs(request: pytest.FixtureRequest) -> AsyncIterator[DatabaseUrl]:
    """Empty yet; on both servers, which are of different versions."""
    async with empty_database(request.getfixturevalue("contrib") if request.param == "contrib" else None) as url:
        yield url


@pytest.fixture
async def recipe() -> AsyncIterator[DatabaseUrl]:
    async with empty_database() as url:
        await execute(url, RECIPE)
        yield url


@pytest.mark.parametrize(
    ("shape", "totals"), [(RECIPE, [(30,), (3,)]), (MIGRATED, [(2,)]), (PLAIN, [(1,)])], ids=["recipe", "old", "plain"]
)
async def test_a_database_becomes_ours_with_all_that_it_has(
    theirs: DatabaseUrl, shape: str, totals: list[tuple[int]]
) -> None:
    await execute(theirs, shape)
    before = await rows(theirs, "SELECT id, name, email, hashed_password FROM users ORDER BY id")

    await adopt_and_upgrade(theirs)
    again = await adopt(theirs, "--no-prompt")

    assert await rows(theirs, "SELECT id, name, email, hashed_password FROM users ORDER BY id") == before
    assert await rows(theirs, TOTALS) == totals
    assert (again.exit_code, again.output) == (0, "Nothing to do: this database is one of ours already\n")
    assert await missing(theirs) == []
    await check(theirs)


@pytest.mark.parametrize("shape", [RECIPE, MIGRATED], ids=["recipe", "old"])
async def test_the_sql_does_the_same_in_psql(theirs: DatabaseUrl, shape: str, request: pytest.FixtureRequest) -> None:
    where = programs() if "contrib" in request.node.name else _programs()
    async with empty_database(theirs) as other:
        for url in (theirs, other):
            await execute(url, shape)
        printed = await adopt(theirs, "--sql")
        await adopt(other, "--no-prompt")

        psql(where, theirs, printed.output)

        assert await schema_of(theirs) == await schema_of(other)
        for table in ("schema_history", "schema_kept"):
            assert await rows(theirs, f"TABLE {table}") == await rows(other, f"TABLE {table}")
    await migrate(theirs)
    await check(theirs)


async def test_the_numbers_go_on_where_the_sequence_or_the_rows_stand(recipe: DatabaseUrl) -> None:
    await execute(
        recipe,
        "SELECT setval('users_id_seq', 77); INSERT INTO developers VALUES (50, 'Ann', 'ann@example.com', 'c', now());"
        "GRANT USAGE ON SEQUENCE users_id_seq TO PUBLIC",
    )

    await adopt_and_upgrade(recipe)

    insert = "INSERT INTO {} VALUES (DEFAULT, 'Bo', 'bo@example.com', 'x') RETURNING id"
    assert await rows(recipe, insert.format("users (id, name, email, hashed_password)")) == [(78,)]
    assert await rows(recipe, insert.format("developers (id, name, email, specialty)")) == [(51,)]
    assert await rows(recipe, "SELECT nextval('users_id_seq')") == [(79,)]
    assert await rows(recipe, "SELECT 'USAGE' FROM pg_class, aclexplode(relacl) WHERE relname = 'users_id_seq'"
        " AND grantee = 0") == [("USAGE",)]  # fmt: skip


async def test_times_without_a_zone_are_taken_as_utc(recipe: DatabaseUrl) -> None:
    await execute(recipe, f"ALTER DATABASE {recipe.url.database} SET timezone = 'Asia/Tokyo'")

    told = await adopt_and_upgrade(recipe)

    assert "which seems to be Asia/Tokyo: ALTER ROLE ... SET timezone = 'UTC'" in told
    assert await rows(
        recipe, "SELECT created_at = '2024-02-03 04:05:06Z', created_at > now() - interval '1 minute'"
        " FROM developers ORDER BY id LIMIT 2"
    ) == [(False, True), (True, False)]  # fmt: skip


async def test_another_projects_revision_stays_where_it_looks_for_it() -> None:
    async with empty_database() as url:
        await execute(url, MIGRATED)

        await adopt_and_upgrade(url)

        assert await rows(url, VERSIONS) == [("1a31ce608336",)]
        async with empty_database() as new:
            await migrate(new)
            assert await rows(url, "TABLE schema_version") == await rows(new, VERSIONS)


async def test_a_table_of_versions_that_comes_later_is_not_taken_for_ours() -> None:
    async with empty_database() as url:
        await migrate(url)
        await execute(url, "CREATE TABLE schema_version (version int, description text)")

        await migrate(url)
        await check(url)


async def test_developers_without_users_are_taken_over_too(recipe: DatabaseUrl) -> None:
    await execute(recipe, "DROP TABLE users")

    told = await adopt_and_upgrade(recipe)

    assert "alembic_version says nothing yet" in told
    assert await rows(recipe, "SELECT count(*) FROM developers") == [(3,)]
    assert await missing(recipe) == []


async def test_a_schema_that_the_url_names_is_looked_at() -> None:
    async with empty_database() as url:
        await execute(url, f"CREATE SCHEMA app; SET search_path TO app; {RECIPE}")
        await execute(url, f"ALTER DATABASE {url.url.database} SET search_path TO app")

        await adopt_and_upgrade(url)
        await check(url)

        assert await rows(url, "SELECT DISTINCT schemaname::text FROM pg_tables WHERE tablename IN"
            " ('users', 'row_counts', 'alembic_version', 'schema_kept')") == [("app",)]  # fmt: skip


async def test_an_index_of_ours_that_is_there_before_is_not_made_again(recipe: DatabaseUrl) -> None:
    await execute(
        recipe,
        "ALTER INDEX ix_users_email RENAME TO ix_users_email_old; CREATE INDEX ix_users_name ON users (name, id);"
        "CREATE UNIQUE INDEX ix_users_email ON users (lower(email))",
    )

    told = await adopt_and_upgrade(recipe)

    assert "made: ix_users_created_at\n" in told
    assert await missing(recipe) == []


async def test_indexes_of_theirs_give_the_names_to_ours(recipe: DatabaseUrl) -> None:
    await execute(
        recipe,
        "CREATE INDEX ix_users_administrators ON users (name); CREATE INDEX pk_users ON users (email);"
        "CREATE INDEX ix_users_trgm ON users (name)",
    )

    await adopt_and_upgrade(recipe)

    assert await missing(recipe) == []
    await check(recipe)


async def test_every_name_that_the_migrations_need_is_known(database: DatabaseUrl) -> None:
    relations = await rows(
        database,
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
        " AND relname !~ '^alembic_version'",
    )
    triggers = await rows(
        database,
        "SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger WHERE NOT tgisinternal"
        " AND tgrelid::regclass::text IN ('users', 'developers')",
    )
    functions = await rows(
        database,
        "SELECT proname::text FROM pg_proc JOIN pg_language l ON l.oid = prolang WHERE lanname IN ('sql', 'plpgsql')"
        " AND pronamespace = 'public'::regnamespace",
    )

    assert {name for (name,) in relations} <= needed_relations()
    assert {(shape.name, name) for shape in SHAPES for name in shape.triggers} >= set(triggers)
    assert {name for (name,) in functions} == functions_of(load_scripts(ROOT / "alembic"))


async def test_whose_password_cannot_be_checked_is_told(recipe: DatabaseUrl) -> None:
    bcrypt = "$2b$12$fTiRM0wbt/poybgXbUczuengcyKZOkTkl3N/F94WzWx6BQGAgvjeS"
    await execute(
        recipe,
        f"UPDATE users SET hashed_password = CASE WHEN id < 3 THEN md5('a') WHEN id > 3 THEN '{bcrypt}' ELSE 'x' END",
    )

    told = (await adopt(recipe, "--dry-run")).output

    asked = "cannot be checked at a sign-in, so that a password has to be set anew"
    assert f"  * 2 hashes of 30 {asked}: plain MD5 or SHA in hex\n" in told
    assert f"  * 1 hash of 30 {asked}: not a hash of a kind that is known\n" in told


async def test_a_migration_is_drafted_without_what_is_theirs() -> None:
    async with empty_database() as url:
        await execute(url, MIGRATED)
        await adopt_and_upgrade(url)
        await execute(url, "ALTER TABLE users ADD later int")

        with pytest.raises(CommandError) as told:
            await check(url)

    assert str(told.value).count("remove_") == 1
    assert "Column('later'" in str(told.value)
