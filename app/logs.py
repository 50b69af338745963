"""Logs: structured lines that carry the request id, for a person on a terminal and as JSON elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import Any

import structlog

_WRAPPERS = ("sqlalchemy.", "advanced_alchemy.")
"""Libraries that say less than what they have caught."""

_shows_error_data = False


def configure_logs(*, style: str = "auto", level: str = "info", error_data: bool = False) -> None:
    """Send structlog's and the standard library's lines to standard error in one format.

    With `error_data` what an exception says is shown, too: a driver quotes SQL and values in it.
    """
    global _shows_error_data
    _shows_error_data = error_data
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.contextvars.merge_contextvars,
        _describe_exception,
    ]
    rendered: list[Any] = (
        [_escape, structlog.dev.ConsoleRenderer(colors=coloured)] if console else [structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Alembic also tells which database it works on, which is always the same.
    logging.getLogger("alembic.runtime.migration").addFilter(
        lambda record: record.levelno > logging.INFO or record.getMessage().startswith("Running")
    )
    logging.getLogger("alembic.runtime.plugins").setLevel("WARNING")
    # SQLAlchemy logs under the name of a pool's class, and each life of a pool is not news.
    logging.getLogger("app.database.pool").setLevel("WARNING")


def _describe_exception(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    raised = event.pop("exc_info", None)
    error = sys.exception() if raised is True else raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        event.update(_described(error))
    return event


def _escape(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Show what a terminal would obey, such as an escape sequence in a path. JSON does so by itself."""
    return {
        key: "".join(character if character.isprintable() else repr(character)[1:-1] for character in value)
        if isinstance(value, str) and not value.isprintable()
        else value
        for key, value in event.items()
    }


def _described(error: BaseException) -> dict[str, Any]:
    """What was raised and where, and of what it came; the innermost frame is the last."""
    frames = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    while error.__cause__ is not None and type(error).__module__.startswith(_WRAPPERS):
        error = error.__cause__
    found = {"exception": f"{type(error).__module__}.{type(error).__qualname__}", "frames": frames[-12:]}
    more = {"sqlstate": getattr(error, "sqlstate", None), "error_data": str(error) if _shows_error_data else None}
    more["cause"] = None if error.__cause__ is None else _described(error.__cause__)
    return found | {name: value for name, value in more.items() if value}
