"""Worker: what a process does before it serves."""

from __future__ import annotations

import logging
import sys
import traceback
from importlib import import_module
from pathlib import Path
from threading import Timer
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_BUDGET_DELAY = 1.0
"""Seconds after which the first requests will have been answered."""
_logger = logging.getLogger(__name__)


def load(*, workers: int, embedded: bool, reload: bool) -> Any:
    """The application, imported anew where `reload` says that it changes. Raises: SystemExit."""
    if not reload:
        return _load(workers, embedded=embedded)
    for name in [name for name in sys.modules if name.partition(".")[0] == "app"]:
        del sys.modules[name]
    try:
        return _load(workers, embedded=embedded)
    except Exception as error:
        # Whatever a module raises that somebody is in the middle of writing; the process ends with its name and place.
        _logger.error("%s. Waiting for the next change", _place(error))
        raise SystemExit(1) from error


def _load(workers: int, *, embedded: bool) -> Any:
    from app.logs import configure_logs
    from app.operations.connection_budget import log_connection_budget
    from app.operations.shared import is_first
    from app.settings import required_settings

    settings = required_settings()
    if embedded:
        # A worker that was not forked knows nothing of its parent's.
        configure_logs(style=settings.log_format, level=settings.log_level, error_data=settings.log_error_data)
        from app.cli.database import upgrade
        from app.database.engine import configure_database

        upgrade(configure_database(settings))
    # By name, as nothing but the door knows what is above the command line.
    service = import_module("app").create_app()
    if is_first():
        timer = Timer(_BUDGET_DELAY, log_connection_budget, (settings, workers))
        timer.daemon = True
        timer.start()
    return service


def _place(error: Exception) -> str:
    """What is wrong, and in which line of the service's own code."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(_ROOT)]
    return f"{ours[-1].filename}, line {ours[-1].lineno}: {type(error).__name__}: {error}"
