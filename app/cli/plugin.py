"""Plugin: the commands of the service, each of them imported when it is called."""

from __future__ import annotations

from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, cast

from click import Command, Group
from litestar.plugins import CLIPlugin

from app import resources
from app.cli.lazy import Later, LazyCommand

if TYPE_CHECKING:
    from advanced_alchemy.config import SQLAlchemyAsyncConfig

    from app.cli.command import CommandRunner
    from app.settings import Settings


class CommandLinePlugin(CLIPlugin):
    """`litestar run`, `litestar database ...`, and a group for each resource that has records."""

    __slots__ = ("_settings",)

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings

    def on_cli_init(self, cli: Group) -> None:
        cli.add_command(LazyCommand("run", "Serve.", _run))
        cli.add_command(LazyCommand("database", "Migrate, and count anew.", partial(self._database, cli)))
        for _, name, _ in iter_modules(resources.__path__):
            if find_spec(f"app.resources.{name}.records"):
                cli.add_command(LazyCommand(name, f"Manage {name}.", partial(self._resource, name)))

    def _database(self, cli: Group) -> Command:
        from advanced_alchemy.extensions.litestar.cli import database_group

        import app.cli.database  # noqa: F401  # puts its errors into plain lines
        from app.cli.adopt import adopt_command
        from app.cli.recount import recount_command

        for make in (adopt_command, recount_command):
            database_group.add_command(make(self._runner()))
        cli.add_command(database_group)  # Litestar's group has it know its context.
        return database_group

    def _resource(self, name: str) -> Command:
        from app.bulk.dataset import Dataset
        from app.cli.exporting import export_command
        from app.cli.importing import import_command

        records = vars(import_module(f"app.resources.{name}.records")).values()
        [dataset] = [value for value in records if isinstance(value, Dataset)]
        runner = self._runner()
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

    def _runner(self) -> CommandRunner:
        from app.cli.command import CommandRunner

        # Help is given whatever the settings are.
        return CommandRunner(cast("SQLAlchemyAsyncConfig", Later(cache(self._configure))))

    def _configure(self) -> SQLAlchemyAsyncConfig:
        from app.database.engine import configure_database
        from app.settings import required_settings

        return configure_database(self._settings or required_settings())


def _run() -> Command:
    from app.cli.run import run

    return run
