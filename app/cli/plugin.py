"""Plugin: `litestar users ...` and its like, on the engine of the service."""

from __future__ import annotations

from collections.abc import Sequence

from advanced_alchemy.config import SQLAlchemyAsyncConfig
from advanced_alchemy.extensions.litestar.cli import database_group
from click import Group
from litestar.plugins import CLIPlugin

from app.bulk.dataset import Dataset
from app.cli.adopt import adopt_command
from app.cli.command import CommandRunner
from app.cli.exporting import export_command
from app.cli.importing import import_command
from app.cli.recount import recount_command
from app.cli.users import user_commands
from app.resources.users.records import USERS


class CommandLinePlugin(CLIPlugin):
    __slots__ = ("_config", "_datasets")

    def __init__(self, config: SQLAlchemyAsyncConfig, datasets: Sequence[Dataset]) -> None:
        self._config = config
        self._datasets = datasets

    def on_cli_init(self, cli: Group) -> None:
        runner = CommandRunner(self._config)
        for shared in (adopt_command(runner), recount_command(runner)):
            database_group.add_command(shared)
        for resource in self._datasets:
            group = Group(resource.name, help=f"Manage {resource.name}.")
            others = user_commands(runner) if resource is USERS else []
            for command in (import_command(runner, resource), export_command(runner, resource), *others):
                group.add_command(command)
            cli.add_command(group)
