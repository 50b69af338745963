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

from app.database.engine import ROOT
from app.database.history import load_scripts

_ADVICE = {
    "Multiple head revisions": ": run `litestar database merge heads -m Merge`",
    "Target database is not up to date": " Run `litestar database upgrade` first.",
    "New upgrade operations detected": ". Run `litestar database make-migrations`, or mend the models",
}
"""What to do, where Alembic does not say so."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raises: SystemExit, with the line to be shown."""
    console = get_console()
    # The rules that are drawn between the lines of a terminal would stand between lines of JSON elsewhere.
    console.quiet = not sys.stdout.isatty()
    try:
        load_scripts(ROOT / "alembic")
        yield
    except CommandError as error:
        advice = next((told for said, told in _ADVICE.items() if str(error).startswith(said)), "")
        raise SystemExit(f"Error: {error}{advice}") from error
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
