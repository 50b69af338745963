"""PLACEHOLDER: the least application that runs on the embedded database, to be replaced by the real one."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.logging import LoggingConfig
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app import embedded
from app.serving import Serving


@get("/health/live")
async def live() -> dict[str, int]:
    return {"pid": os.getpid()}


@get("/health/ready")
async def ready(state: State) -> Response[dict[str, int]]:
    async with state.engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return Response({"pid": os.getpid()}, status_code=503 if state.draining else 200)


@get("/slow")
async def slow(request: Request[Any, Any, Any], seconds: float = 1) -> dict[str, object]:
    await asyncio.sleep(seconds)
    return {"client": request.scope["client"]}


@get("/sql")
async def sql(state: State, seconds: float = 1) -> dict[str, object]:
    async with state.engine.connect() as connection:
        await connection.execute(text("SELECT pg_sleep(:s)"), {"s": seconds})
    return {}


def create_app() -> Litestar:
    url = os.environ.get("DATABASE_URL")
    data_dir = Path(os.environ.get("EMBEDDED_DATA_DIR", Path(__file__).parent.parent / ".postgres"))

    async def start(app: Litestar) -> None:
        app.state.engine = create_async_engine(url or embedded.start(data_dir))

    async def stop(app: Litestar) -> None:
        await app.state.engine.dispose()
        logging.getLogger("app").info("lifespan exit %s", os.getpid())

    def migrate() -> None:
        logging.getLogger("app").info("migrating %s", embedded.start(data_dir))

    serving = Serving(
        access="local",
        embedded_dir=None if url else data_dir,
        migrate=migrate,
        drain_seconds=float(os.environ.get("DRAIN_SECONDS", "0")),
    )
    return Litestar(
        [live, ready, slow, sql],
        on_startup=[start],
        on_shutdown=[stop],
        plugins=[serving],
        logging_config=LoggingConfig(root={"level": "INFO", "handlers": ["queue_listener"]}, log_exceptions="always"),
    )
