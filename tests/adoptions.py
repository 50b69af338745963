"""Adoptions: `litestar database adopt` in this process, and the schema that it leads to."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

from anyio import to_thread
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from app.cli.adopt import adopt_command
from app.cli.command import CommandRunner
from app.database.engine import configure_database
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.databases import alembic_commands, as_text, empty_database, migrate
from tests.migrations import schema_of

OURS = ("users", "developers", "row_counts", "schema_history", "")


async def adopt(url: DatabaseUrl, *options: str, stdin: str = "") -> Result:
    """Run the command in a thread, as it wants an event loop of its own."""
    command = adopt_command(CommandRunner(configure_database(Settings(database_url=url))))
    return await to_thread.run_sync(partial(CliRunner().invoke, command, options, input=stdin))


async def adopt_and_upgrade(url: DatabaseUrl) -> str:
    """What the takeover printed."""
    done = await adopt(url, "--no-prompt")
    assert done.exit_code == 0, done.output
    await migrate(url)
    return done.output


async def check(url: DatabaseUrl) -> None:
    """Raises: CommandError, where models and tables disagree."""
    await to_thread.run_sync(alembic_commands(url).check)


async def missing(url: DatabaseUrl) -> list[tuple[str, ...]]:
    """What a database lacks of a new one of ours on the same server."""
    there = set(await schema_of(url))
    async with empty_database(url) as new:
        await migrate(new)
        return [row for row in await schema_of(new) if row[1] in OURS and row not in there]


def psql(programs: Path, url: DatabaseUrl, script: str) -> str:
    """What psql says of a script. Raises: CalledProcessError."""
    there = make_url(as_text(url)).set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(programs / "psql"), "--no-psqlrc", "--set=ON_ERROR_STOP=1", there]
    return subprocess.run(command, input=script, capture_output=True, check=True, text=True).stdout
