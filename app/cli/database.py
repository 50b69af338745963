"""Commands for the schema: Advanced Alchemy's, which say in a plain line on standard error what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from advanced_alchemy.alembic.commands import AlembicCommands
from advanced_alchemy.config import SQLAlchemyAsyncConfig
from advanced_alchemy.extensions.litestar.cli import database_group
from alembic.util import CommandError
from rich import get_console


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raises: SystemExit, with the line to be shown."""
    console = get_console()
    # The rules that are drawn between the lines of a terminal would stand between lines of JSON elsewhere.
    console.quiet = not sys.stdout.isatty()
    try:
        yield
    except CommandError as error:
        raise SystemExit(f"Error: {error}") from error
    finally:
        console.quiet = False


@plain_errors()
def upgrade(config: SQLAlchemyAsyncConfig) -> None:
    """Bring the schema up to date. Raises: SystemExit."""
    AlembicCommands(config).upgrade("head")


# What leaves functions and counters behind, what writes hashes into a file for everybody, and what is done already.
for _name in ("drop-all", "dump-data", "init"):
    database_group.commands.pop(_name, None)
# A process has but one such group, whatever applications it makes.
for _command in database_group.commands.values():
    if _command.callback is not None:
        _command.callback = plain_errors()(_command.callback)
