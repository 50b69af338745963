"""Plugin: the commands of the service, each of them imported when it is called."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, cast

from click import Command, Group, get_current_context
from litestar import Litestar
from litestar.plugins import CLIPlugin

from app import resources
from app.cli.lazy import Later, LazyCommand
from app.environment import forget_dotenv

if TYPE_CHECKING:
    from advanced_alchemy.config import SQLAlchemyAsyncConfig

    from app.settings import Settings


class CommandLinePlugin(CLIPlugin):
    """`litestar run`, `litestar database ...`, and a group for each resource that has records."""

    __slots__ = ("_port", "_settings")

    def __init__(self, settings: Settings | None = None, *, port: str | None = None) -> None:
        """`port` is LITESTAR_PORT, if it was taken out of the environment."""
        self._settings = settings
        self._port = port

    def on_cli_init(self, cli: Group) -> None:
        if self._port is not None:
            os.environ["LITESTAR_PORT"] = self._port
        cli.add_command(LazyCommand("run", "Serve.", _run))
        cli.add_command(LazyCommand("database", "Migrate, and count anew.", self._database))
        for _, name, _ in iter_modules(resources.__path__):
            if find_spec(f"app.resources.{name}.records"):
                cli.add_command(LazyCommand(name, f"Manage {name}.", partial(self._resource, name)))

    def _database(self) -> Command:
        from advanced_alchemy.extensions.litestar.cli import database_group

        import app.cli.database  # noqa: F401  # puts its errors into plain lines
        from app.cli.adopt import adopt_command
        from app.cli.command import CommandRunner
        from app.cli.recount import recount_command

        config = self._config(logs=True)

        def use_config() -> None:
            get_current_context().obj = {"configs": [config]}

        database_group.callback = use_config  # Its own makes the application, for help too.
        for make in (adopt_command, recount_command):
            database_group.add_command(make(CommandRunner(config)))
        return database_group

    def _resource(self, name: str) -> Command:
        from app.bulk.dataset import Dataset
        from app.cli.command import CommandRunner
        from app.cli.exporting import export_command
        from app.cli.importing import import_command

        records = vars(import_module(f"app.resources.{name}.records")).values()
        [dataset] = [value for value in records if isinstance(value, Dataset)]
        runner = CommandRunner(self._config())
        group = Group(name, help=f"Manage {name}.")
        for command in (import_command(runner, dataset), export_command(runner, dataset)):
            group.add_command(command)
        if name == "users":
            from app.cli.checking import check_password_command
            from app.cli.sessions import sessions_command
            from app.cli.users import user_commands

            for command in (*user_commands(runner), check_password_command(runner), sessions_command(runner)):
                group.add_command(command)
        return group

    def _config(self, *, logs: bool = False) -> SQLAlchemyAsyncConfig:
        """The database's, once somebody asks: help is given whatever the settings are."""

        def configure() -> SQLAlchemyAsyncConfig:
            from app.database.engine import configure_database
            from app.logs import configure_logs
            from app.settings import required_settings

            settings = self._settings or required_settings()
            if logs:
                configure_logs(style=settings.log_format, level=settings.log_level, error_data=settings.log_error_data)
            return configure_database(settings)

        return cast("SQLAlchemyAsyncConfig", Later(cache(configure)))


def commands_alone(build: Callable[[], Litestar]) -> Litestar:
    """What Litestar's command line gets: the commands, and an application when one of them wants it."""
    forget_dotenv()
    # It makes a number of it, whatever the command is; `run` can say what is wrong.
    plugin = CommandLinePlugin(port=os.environ.pop("LITESTAR_PORT", None))
    return cast("Litestar", Later(build, plugins=Later(lambda: build().plugins, cli=[plugin])))


def _run() -> Command:
    from app.cli.run import run

    return run
