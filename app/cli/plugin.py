"""Commands: `litestar users ...` and `litestar developers ...`, on the engine of the service."""

from __future__ import annotations

from advanced_alchemy.config import SQLAlchemyAsyncConfig
from advanced_alchemy.extensions.litestar.cli import database_group
from click import Group
from litestar.plugins import CLIPlugin

from app.cli.command import Work
from app.cli.exporting import export_command
from app.cli.importing import import_command
from app.cli.recount import recount_command
from app.cli.users import people_commands
from app.resources.developers.records import DEVELOPERS
from app.resources.users.records import USERS


class Commands(CLIPlugin):
    def __init__(self, config: SQLAlchemyAsyncConfig) -> None:
        self._config = config

    def on_cli_init(self, cli: Group) -> None:
        work = Work(self._config)
        database_group.add_command(recount_command(work))
        for resource, others in ((USERS, people_commands(work)), (DEVELOPERS, [])):
            group = Group(resource.table, help=f"Manage {resource.table}.")
            for command in (import_command(work, resource), export_command(work, resource), *others):
                group.add_command(command)
            cli.add_command(group)
