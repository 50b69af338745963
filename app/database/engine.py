"""Engine: what the settings say of the database, for SQLAlchemy and Advanced Alchemy."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import asyncpg
from advanced_alchemy.config import AlembicAsyncConfig, AsyncSessionConfig, EngineConfig, SQLAlchemyAsyncConfig
from sqlalchemy import make_url

from app.database import embedded
from app.database.connector import Connector
from app.database.hooks import attach_hooks
from app.database.pool import Pool
from app.database.postgres import installed
from app.settings import Settings
from app.settings.database_url import DatabaseUrl, parse_database_url

ROOT = Path(__file__).resolve().parent.parent.parent

COMPOSE_URL = "postgresql+asyncpg://super@localhost:5432/super"
CONNECT_TIMEOUT = 2.0
"""Seconds that a new connection may take, unless the URL's `connect_timeout` says otherwise."""


def database_url(settings: Settings) -> DatabaseUrl:
    """The configured database, else the embedded one, else the one of `compose.yaml`."""
    if settings.database_url is not None:
        return settings.database_url
    if installed():
        return DatabaseUrl(
            url=make_url("postgresql+asyncpg://postgres@/postgres"),
            connect_args={"async_creator_fn": partial(_connect_to_embedded, Path(settings.embedded_data_dir))},
        )
    return parse_database_url(COMPOSE_URL)


async def _connect_to_embedded(data_dir: Path, **arguments: Any) -> asyncpg.Connection[asyncpg.Record]:
    """Start or join the embedded server with the first connection, so that only what needs it starts it."""
    return await asyncpg.connect(host=embedded.start(data_dir), **arguments)


def configure_database(settings: Settings) -> SQLAlchemyAsyncConfig:
    database = database_url(settings)
    config = SQLAlchemyAsyncConfig(
        connection_string=database.url.render_as_string(hide_password=False),
        engine_config=EngineConfig(
            poolclass=Pool,
            # Above it, which a database may have for its default, whoever waited for a row is refused.
            isolation_level="READ COMMITTED",
            pool_size=settings.db_pool_size + settings.db_max_overflow,
            max_overflow=0,
            # The connection used last is the one that needs no question whether it still lives.
            pool_use_lifo=True,
            pool_timeout=cast("int", settings.db_pool_timeout),
            pool_recycle=settings.db_pool_recycle,
            echo=settings.db_echo,
            hide_parameters=True,
            connect_args=_connect_args(settings, database),
        ),
        session_config=AsyncSessionConfig(expire_on_commit=False, autoflush=False),
        alembic_config=AlembicAsyncConfig(
            script_location=str(ROOT / "alembic"),
            toml_file=str(ROOT / "pyproject.toml"),
            version_table_name="alembic_version",
        ),
    )
    attach_hooks(config.get_engine(), settings, database)
    return config


def time_limit(settings: Settings) -> float:
    """Seconds within which a request is answered: a wait for a connection, a statement, and some slack."""
    return settings.db_pool_timeout + settings.db_statement_timeout + 0.5


def _connect_args(settings: Settings, database: DatabaseUrl) -> dict[str, Any]:
    driver_args = dict(database.connect_args)
    # In our own SQL a backslash is a character; a pooler takes both of these at start-up.
    session = {"application_name": "litestar-users", "standard_conforming_strings": "on"}
    if not database.transaction_pooling:
        # A pooler refuses these at start-up; behind it the timeout travels with each transaction.
        session |= {"statement_timeout": str(int(settings.db_statement_timeout * 1000)), "jit": "off"}
        # What a host that vanished between two statements has left is rolled back as soon.
        session |= {"idle_in_transaction_session_timeout": session["statement_timeout"]}
        # Milliseconds until the server stops the statement of a client that is gone, and frees its locks.
        session |= {"client_connection_check_interval": "1000"}
    session |= driver_args.pop("server_settings", {})
    return {
        "timeout": CONNECT_TIMEOUT,
        # Ours comes second, for a COMMIT, a server or a network that does not answer at all.
        "command_timeout": settings.db_statement_timeout + 0.5,
        "server_settings": session,
        **driver_args,
        "async_creator_fn": Connector(driver_args.get("async_creator_fn", asyncpg.connect)),
    }
