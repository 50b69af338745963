"""Application: the roof, where every part is put together."""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path
from typing import Any, cast

from advanced_alchemy.config import SQLAlchemyAsyncConfig
from advanced_alchemy.extensions import litestar as alchemy
from advanced_alchemy.extensions.litestar import SQLAlchemyPlugin
from litestar import Controller, Litestar
from litestar.di import Provide

from app.credentials.passwords import Passwords
from app.database.engine import configure_database, database_url, time_limit
from app.database.pool import Pool, trimming
from app.http.cors import configure_cors
from app.http.dependencies import provide_transaction
from app.http.docs import describe_api, swagger_ui
from app.http.dto import JsonBody
from app.http.exception_handlers import handle_exception
from app.http.middleware import handle_request
from app.http.path_parameters import decode_id, is_id
from app.http.repeats import Repeats
from app.http.rules import Gate, apply_rules
from app.http.service import UserService
from app.http.throttling import Throttling
from app.logs import configure_logs
from app.operations.figures import read_counters, read_gauges
from app.operations.health import HealthController, Readiness
from app.operations.leaving import leaving
from app.operations.metrics import Metrics, show_metrics
from app.operations.tracing import trace
from app.operations.upkeep import Upkeep
from app.repository.reader import Reader
from app.resources.developers.controller import DeveloperController
from app.resources.passwords.controller import PasswordController
from app.resources.sessions.controller import SessionController
from app.resources.sessions.last_use import LastUse
from app.resources.sessions.repository import Sessions
from app.resources.users.controller import UserController
from app.settings import Settings, load_settings

RESOURCES: list[type[Controller]] = [
    UserController,
    SessionController,
    PasswordController,
    DeveloperController,
]

BODY_LIMIT = 64 * 1024
"""Bytes of a request body, where a route does not say otherwise."""


def create_app(settings: Settings | None = None) -> Litestar:
    """Build the service, from the environment unless `settings` are given. Raises: SettingsError."""
    settings = settings or load_settings()
    configure_logs(style=settings.log_format, level=settings.log_level, error_data=settings.log_error_data)
    config = configure_database(settings)
    limit = time_limit(settings)
    pooled = database_url(settings).transaction_pooling
    reader = Reader(
        config.get_engine(), limit=limit, statement_timeout=settings.db_statement_timeout if pooled else None
    )
    passwords = Passwords()
    last_use = LastUse(config.get_engine())
    sessions = Sessions(reader, passwords, last_use, settings)
    gate = Gate(sessions.caller, sign_up=settings.sign_up)
    readiness = Readiness(reader)
    pool = cast("Pool", config.get_engine().sync_engine.pool)
    gauges = partial(read_gauges, pool, settings.db_pool_size, passwords)
    metrics = Metrics(gauges, partial(read_counters, reader))
    app = UserService(
        route_handlers=[*RESOURCES, HealthController, show_metrics, swagger_ui()],
        plugins=[SQLAlchemyPlugin(_plugged(config))],
        dependencies={
            "transaction": Provide(provide_transaction),
            "reader": provide(reader),
            "passwords": provide(passwords),
            "sessions": provide(sessions),
            "caller": Provide(gate.caller),
            "visitor": Provide(gate.visitor),
            "throttling": provide(Throttling(config.get_engine(), settings)),
            "readiness": provide(readiness),
            "metrics": provide(metrics),
        },
        dto=JsonBody,
        return_dto=None,
        type_decoders=[(is_id, decode_id)],
        exception_handlers={Exception: handle_exception},
        request_max_body_size=BODY_LIMIT,
        cors_config=configure_cors(settings.cors_origins),
        logging_config=None,
        openapi_config=describe_api(*RESOURCES, HealthController),
        lifespan=[
            lambda _: trimming(config.get_engine(), keep=settings.db_pool_size),
            metrics.lifespan,
            lambda app: leaving(
                [readiness.drain, cast("UserService", app).leave],
                settings.drain_seconds,
                embedded_dir=Path(settings.embedded_data_dir),
            ),
            last_use.lifespan,
            Upkeep(config.get_engine()).lifespan,
        ],
        on_startup=[freeze_garbage_collector],
        # Advanced Alchemy disposes of the engine of a process' first application only.
        on_shutdown=[passwords.close, config.get_engine().dispose],
    )
    local, log = settings.access == "local", settings.log_requests
    rules = partial(apply_rules, gate=gate if settings.access == "token" else None, local=local)
    app.apply_words(Repeats(reader, hours=settings.idempotency_hours).apply, rules)
    prefix = settings.root_path.rstrip("/")
    app.handle_request = partial(
        handle_request,
        local=local,
        log=log,
        limit=limit,
        prefix=prefix,
        observe=metrics.observe,
        cors=app.cors_config,
    )
    trace(app, config.get_engine(), reader, settings.otel_exporter_otlp_endpoint)
    return app


def freeze_garbage_collector() -> None:
    """Leave what start-up made out of later collections: a full one stops every request for about 90 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def provide(part: Any) -> Provide:
    """Inject one and the same object everywhere."""
    return Provide(lambda: part, sync_to_thread=False)


def _plugged(config: SQLAlchemyAsyncConfig) -> alchemy.SQLAlchemyAsyncConfig:
    """The same database, as Advanced Alchemy's plugin wants it."""
    return alchemy.SQLAlchemyAsyncConfig(
        engine_instance=config.get_engine(),
        session_config=config.session_config,
        alembic_config=config.alembic_config,
        # It sorts errors by their text and can call an outage a conflict; `database.errors` sorts by SQLSTATE.
        set_default_exception_handler=False,
    )
