"""The door: servers, `litestar` and tests find `create_app` here."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from litestar import Litestar

    from app.settings import Settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> Litestar:
    """Build the service, from the environment unless `settings` are given.

    Raises: SystemExit, with a line for each setting that is wrong.
    """
    # Imported late: the command line evaluates whatever this package holds at import time.
    from inspect import currentframe

    from app.database.signals import install_exit_handlers

    install_exit_handlers()
    caller = currentframe().f_back  # type: ignore[union-attr]
    if caller and caller.f_globals["__name__"].startswith("litestar.cli."):
        # It asks before it knows which command is meant, and help shall be given whatever the settings are; with an
        # application it also took 1.3 to 1.9 times as long.
        from app.cli.plugin import commands_alone

        return commands_alone(cache(_build))
    return _build(settings)


def _build(settings: Settings | None = None) -> Litestar:
    from app.settings import required_settings

    return cast("Litestar", _application().create_app(settings or required_settings()))


@cache
def _application() -> ModuleType:
    from app.cli.lazy import without_collections
    from app.database.signals import quiet_interrupts

    with quiet_interrupts(), without_collections():
        return import_module("app.application")
