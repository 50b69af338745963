"""Run: `litestar run` and `python -m app`, Granian's own command with defaults and names of ours.

The process that was called becomes Granian's parent, and its workers import the application: nothing is loaded twice.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import click
import granian.cli
from click.core import ParameterSource
from granian.constants import Interfaces

from app.cli.worker import load
from app.database import embedded
from app.database.postgres import installed
from app.logs import configure_logs
from app.operations.listening import address, is_secure, numeric
from app.operations.server import Server
from app.operations.shared import shared_folder
from app.settings import Settings, required_settings

_ALIASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "host": (("-H",), ("LITESTAR_HOST",)),
    "port": (("-p",), ("LITESTAR_PORT",)),
    "uds": (("-U", "--unix-domain-socket"), ("LITESTAR_UNIX_DOMAIN_SOCKET",)),
    "workers": (("-W", "--wc", "--web-concurrency"), ("LITESTAR_WEB_CONCURRENCY", "WEB_CONCURRENCY")),
    "reload": (("-r",), ("LITESTAR_RELOAD",)),
    "reload_paths": (("-R", "--reload-dir"), ("LITESTAR_RELOAD_DIRS",)),
    "ssl_certificate": (("--ssl-certfile",), ("LITESTAR_SSL_CERT_PATH",)),
    "ssl_keyfile": ((), ("LITESTAR_SSL_KEY_PATH",)),
    "ssl_client_verify": ((), ("LITESTAR_SSL_CLIENT_VERIFY",)),
}
"""What Litestar's own `run` calls the options of Granian."""
_OURS: dict[str, Any] = {
    "app": "app:create_app",
    "interface": Interfaces.ASGI,
    "factory": True,
    "working_dir": None,
    "env_files": (),
}
"""Options of Granian that nobody else chooses."""
_DEFAULTS = {
    # HTTP/2 without TLS serves no client that we have, and there is nothing here for a WebSocket.
    "http": "1",
    "websockets": False,
    # Milliseconds until an idle connection is closed. Balancers keep theirs for 60 s and must be the first to close.
    "http1_header_read_timeout": 60_000,
    "respawn_failed_workers": True,
    # A file that was saved with an error ends its workers, until it is saved again.
    "reload_ignore_worker_failure": True,
}


def serve(fd: int | None, debug: bool, pdb: bool, **options: Any) -> None:
    """Serve until a signal comes."""
    settings = required_settings()
    configure_logs(style=settings.log_format, level=settings.log_level, error_data=settings.log_error_data)
    os.environ.update({f"LITESTAR_{name}": "1" for name, on in (("DEBUG", debug), ("PDB", pdb)) if on})
    if options["workers_kill_timeout"] is None:
        # Seconds for the requests in flight.
        options["workers_kill_timeout"] = 10 + ceil(settings.drain_seconds)
    mounted = (options["url_path_prefix"] or "").strip("/")
    place = {name: options[name] for name in ("host", "port", "uds")}
    docs = "/".join(filter(None, (address(fd=fd, secure=is_secure(**options), **place), mounted, "schema")))
    note = f"Docs at {docs}, access is {settings.access}"
    with _database(settings) as folder, shared_folder():
        if folder:
            # Else every write of the database restarts the workers.
            options["reload_ignore_paths"] = [*options["reload_ignore_paths"], folder]
        how = {"workers": options["workers"], "embedded": folder is not None, "reload": options["reload"]}
        # Granian's command translates its options for whatever has this name.
        vars(granian.cli)["Server"] = partial(Server, fd=fd, note=note, load=partial(load, **how))
        gc.freeze()  # What no collection writes to is shared with the workers.
        gc.enable()
        granian.cli.cli.callback(**options, **_OURS)  # type: ignore[misc]


@contextmanager
def _database(settings: Settings) -> Iterator[Path | None]:
    """The folder of the embedded server, which runs meanwhile, if that is what is to be used."""
    if settings.database_url is not None or not installed():
        yield None
        return
    folder = Path(settings.embedded_data_dir).resolve()
    try:
        embedded.start(folder)
        logging.getLogger(__name__).info("Embedded PostgreSQL in %s", folder)
        yield folder
    finally:
        embedded.stop(folder)


def _parameters() -> Iterator[click.Parameter]:
    for parameter in granian.cli.cli.params:
        if parameter.name in _OURS:
            continue
        names, variables = _ALIASES.get(str(parameter.name), ((), ()))
        parameter.opts += names
        parameter.envvar = variables or None
        if parameter.name == "host":
            parameter.callback = lambda _context, _option, host: numeric(host)
        elif parameter.name == "port":
            parameter.type = click.IntRange(0, 65535)
        yield parameter
    yield click.Option(["--fd", "-F"], type=int, envvar=["LITESTAR_FILE_DESCRIPTOR"], help="Listen on this socket.")
    yield click.Option(["--debug", "-d"], is_flag=True, envvar=["LITESTAR_DEBUG"], help="Run in debug mode.")
    yield click.Option(["--pdb", "-P"], is_flag=True, envvar=["LITESTAR_PDB"], help="Enter PDB on an exception.")


class RunCommand(click.Command):
    """Says which environment variable a wrong option is from."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            option = error.param
            if option is None or ctx.get_parameter_source(str(option.name)) is not ParameterSource.ENVIRONMENT:
                raise
            names = [*(option.envvar or ()), f"GRANIAN_{option.name}".upper()]
            raise SystemExit(f"Error: {next(filter(os.environ.get, names))}: {error.message}") from error


run = RunCommand(
    "run",
    callback=serve,
    params=[*_parameters()],
    help="Serve.",
    context_settings={"auto_envvar_prefix": "GRANIAN", "default_map": _DEFAULTS, "show_default": True},
)
