"""Settings: one frozen Struct from the environment, or every reason why not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from app.environment import given, read_environment
from app.settings.database_url import DatabaseUrl
from app.settings.processor import require_processor
from app.settings.values import Network, read_value

_ALIASES = {
    "DATABASE_ECHO": "DB_ECHO",
    "DATABASE_POOL_SIZE": "DB_POOL_SIZE",
    "DATABASE_MAX_OVERFLOW": "DB_MAX_OVERFLOW",
}

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
RootPath = Annotated[str, Meta(pattern=r"\A(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?\Z", description="a path such as /api")]


Endpoint = Annotated[
    str, Meta(pattern=r"\Ahttps?://[^\s/?#]+[^\s?#]*\Z", description="a URL such as http://collector:4318")
]


class SettingsError(ValueError):
    """What is wrong with the environment, a line for each variable."""


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting of the service; a field is named like its variable, in lower case."""

    database_url: DatabaseUrl | None = None
    """Where the database is; the embedded PostgreSQL when there is none."""
    test_database_url: DatabaseUrl | None = None
    """Where the tests may create databases of their own."""

    db_pool_size: Annotated[int, Meta(ge=1, le=1_000)] = 5
    """Connections that each process keeps open."""
    db_max_overflow: Annotated[int, Meta(ge=0, le=1_000)] = 10
    """Connections beyond the pool that each process may open under load."""
    db_pool_timeout: Seconds = 30
    """Seconds that a request waits for a connection, then 503."""
    db_pool_recycle: Annotated[int, Meta(ge=-1)] = 3600
    """Seconds after which a connection is renewed; -1 is never."""
    db_pool_pre_ping: bool = True
    """Ask a connection that has been idle whether it still lives, before it is used."""
    db_echo: bool = False
    """Log every statement, without its parameters."""
    db_statement_timeout: Seconds = 30
    """Seconds after which the server stops a statement, then 503."""

    access: Literal["local", "token", "open"] = "local"
    """Who may call: this machine only, whoever has signed in, or everybody."""
    sign_up: Literal["open", "admin"] = "open"
    """Who may create a user where ACCESS=token: everybody, or administrators."""
    root_path: RootPath = "/"
    """What a proxy in front takes off every path before it asks this service."""
    session_hours: Annotated[int, Meta(ge=1, le=87_600)] = 720
    """Hours after which a session ends."""
    session_idle_hours: Annotated[int, Meta(ge=1, le=87_600)] = 168
    """Hours without use after which a session ends."""
    sessions_per_user: Annotated[int, Meta(ge=1, le=10_000)] = 50
    """Sessions that a user may have at once; another ends the oldest."""
    idempotency_hours: Annotated[int, Meta(ge=1, le=8_760)] = 24
    """Hours in which a request with an Idempotency-Key can be sent again."""
    throttle: bool = True
    """Count attempts at passwords, and refuse who tries too often."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks of the proxies whose X-Forwarded-For is believed, separated by commas."""
    cors_origins: tuple[str, ...] = ()
    """Origins of the pages that may call from a browser, separated by commas."""

    log_format: Literal["auto", "console", "json"] = "auto"
    """How a log line looks; `auto` is `console` on a terminal and `json` elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are logged."""
    log_requests: bool = False
    """Log a line for each request, not only for those that fail."""
    log_error_data: bool = False
    """Log what exceptions say, with the SQL and the people's data in it: on a laptop only."""
    otel_exporter_otlp_endpoint: Endpoint | None = None
    """Where traces are sent, by OTLP over HTTP; there are none without."""
    drain_seconds: Annotated[float, Meta(ge=0, le=60)] = 0
    """Seconds after SIGTERM in which `/health/ready` says 503 and requests are still accepted."""
    embedded_data_dir: str = ".postgres"
    """The folder of the embedded PostgreSQL."""


def load_settings(environment: Mapping[str, str] | None = None, *, dotenv: Path | None = None) -> Settings:
    """Read the environment over `.env` of the working directory. Raises: SettingsError.

    Each variable may be a file's, whose name `NAME_FILE` holds. Unknown and empty variables are ignored.
    """
    try:
        from_file = read_environment(dotenv or Path(".env"))
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(str(error)) from error
    around = os.environ if environment is None else environment
    beside = {name for given in around if around[given] for name in (f"{given}_FILE", given.removesuffix("_FILE"))}
    variables = {**{name: text for name, text in from_file.items() if name not in beside}, **around}
    names = {
        name: alias
        for alias, name in _ALIASES.items()
        if (variables.get(alias) or variables.get(f"{alias}_FILE"))
        and not (variables.get(name) or variables.get(f"{name}_FILE"))
    }

    values: dict[str, Any] = {}
    errors: list[str] = []
    for field in msgspec.structs.fields(Settings):
        name = names.get(field.name.upper(), field.name.upper())
        try:
            if text := given(variables, name):
                values[field.name] = read_value(field.type, text)
        except ValueError as error:
            errors.append(f"{name} {error}")
    if errors:
        raise SettingsError("\n".join(errors))
    return Settings(**values)


def required_settings() -> Settings:
    """The settings of this process. Raises: SystemExit, with a line for each that is wrong."""
    require_processor()
    try:
        return load_settings()
    except SettingsError as error:
        raise SystemExit(f"Error: these settings are wrong\n{error}") from None
