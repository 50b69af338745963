"""The door: `litestar run` finds `create_app` here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litestar import Litestar

    from app.settings import Settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> Litestar:
    """Build the service, from the environment unless `settings` are given.

    Raises: SystemExit, with a line for each setting that is wrong.
    """
    # Imported late: the command line evaluates whatever this package holds at import time.
    from app.database.signals import install_exit_handlers, quiet_interrupts
    from app.environment import forget_dotenv

    install_exit_handlers()
    forget_dotenv()
    with quiet_interrupts():
        from app.application import create_app as build
        from app.settings import SettingsError

        try:
            return build(settings)
        except SettingsError as error:
            raise SystemExit(f"Error: these settings are wrong\n{error}") from None
