"""Commands: `litestar ...` as a script runs it, in this process, or as a person does, in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from anyio import to_thread
from click.testing import CliRunner, Result

from app.cli.plugin import CommandLinePlugin
from app.database import embedded
from app.settings import Settings, load_settings
from app.settings.database_url import DatabaseUrl

ROOT = Path(__file__).parent.parent
LITESTAR = (sys.executable, "-m", "litestar", "--app", "app:create_app")


class Shell:
    """Runs commands on one database."""

    def __init__(self, database: DatabaseUrl) -> None:
        self._database = database

    async def run(self, *arguments: str, stdin: str | bytes = "") -> Result:
        """Run a command in a thread, as it wants an event loop of its own."""
        cli = click.Group()
        CommandLinePlugin(Settings(database_url=self._database)).on_cli_init(cli)
        return await to_thread.run_sync(lambda: CliRunner().invoke(cli, arguments, input=stdin))

    def start(self, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        """Start a process."""
        environment = {**os.environ, "DATABASE_URL": self._url(), "ACCESS": "local"}
        return subprocess.Popen([*LITESTAR, *arguments], cwd=ROOT, env=environment, **streams)

    def _url(self) -> str:
        url = self._database.url.render_as_string(hide_password=False)
        settings = load_settings()
        if settings.test_database_url is not None:
            return url
        return f"{url}?host={embedded.start(Path(settings.embedded_data_dir))}"
