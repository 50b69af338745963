"""Database: the engine that the settings describe."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.engine import configure_database
from app.database.pool import Pool
from app.settings import Settings
from app.settings.database_url import DatabaseUrl


def engine_with(url: DatabaseUrl, **settings: float) -> AsyncEngine:
    return configure_database(Settings(database_url=url, **settings)).get_engine()  # type: ignore[arg-type]


async def test_the_settings_of_a_session_reach_the_server(database: DatabaseUrl) -> None:
    expected = {
        "statement_timeout": "7250ms",
        "idle_in_transaction_session_timeout": "7250ms",
        "client_connection_check_interval": "1s",
        # It compiles for longer than any statement of ours runs.
        "jit": "off",
        "application_name": "litestar-users",
    }
    engine = engine_with(database, db_statement_timeout=7.25)

    async with engine.connect() as connection:
        told = {name: await connection.scalar(text(f"SHOW {name}")) for name in expected}
    await engine.dispose()

    assert told == expected


async def test_a_slow_statement_is_stopped_by_the_server(database: DatabaseUrl) -> None:
    engine = engine_with(database, db_statement_timeout=0.05)

    with pytest.raises(DBAPIError, match="canceling statement due to statement timeout"):
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_sleep(5)"))
    await engine.dispose()


async def test_an_error_does_not_show_its_values(database: DatabaseUrl) -> None:
    engine = engine_with(database)

    with pytest.raises(DBAPIError) as failed:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT missing_column, CAST(:secret AS text)"), {"secret": "s3cret"})
    await engine.dispose()

    assert "s3cret" not in f"{failed.value} {failed.value!r}"
    assert "[SQL parameters hidden due to hide_parameters=True]" in str(failed.value)


@pytest.mark.usefixtures("anyio_backend")
def test_the_pool_is_as_large_as_the_settings_say(database: DatabaseUrl) -> None:
    engine = engine_with(database, db_pool_size=3, db_max_overflow=4, db_pool_timeout=6, db_pool_recycle=300)

    pool = engine.sync_engine.pool
    assert isinstance(pool, Pool)
    # What is beyond 3 is closed by the pool itself, once it was not needed for a while.
    assert (pool.size(), pool._max_overflow, pool.timeout(), pool._recycle) == (7, 0, 6, 300)


async def test_a_session_keeps_what_it_committed_and_flushes_only_when_told(database: DatabaseUrl) -> None:
    config = configure_database(Settings(database_url=database))

    session = config.create_session_maker()()

    assert session.sync_session.expire_on_commit is False
    assert session.sync_session.autoflush is False
    await session.close()
    await config.get_engine().dispose()
