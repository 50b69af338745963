"""Serving: what `litestar run` does around the workers, and how a worker takes leave of its clients."""

import logging
import signal
import socket
import time
from asyncio import get_running_loop
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from math import ceil
from pathlib import Path
from threading import Thread, main_thread

from click import ClickException, Group, get_current_context
from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.plugins import CLIPlugin
from litestar_granian import GranianPlugin

from app import embedded
from app.metrics import shared_folder

_logger = logging.getLogger(__name__)


class Serving(GranianPlugin, CLIPlugin):
    """Granian as the server of `litestar run`: its parent process outlives all it started, whatever the signal.

    On SIGTERM a worker calls `drain`, goes on accepting for `drain_seconds`, and then finishes what is in flight.
    """

    __slots__ = ("access", "budget", "drain", "drain_seconds", "embedded_dir", "migrate")

    def __init__(
        self,
        *,
        access: str,
        embedded_dir: Path | None,
        migrate: Callable[[], None],
        drain: Callable[[], None],
        budget: Callable[[int], None],
        drain_seconds: float = 0,
    ) -> None:
        super().__init__()
        self.access = access
        self.embedded_dir = embedded_dir
        self.migrate = migrate
        self.drain = drain
        self.budget = budget
        self.drain_seconds = drain_seconds

    def on_cli_init(self, cli: Group) -> None:
        super().on_cli_init(cli)
        cli.commands["run"].context_settings["default_map"] = {
            # HTTP/2 without TLS serves no client that we have.
            "http": "1",
            # Seconds for the requests in flight, after which workers are killed; the command itself waits 5 s more.
            "workers_kill_timeout": 10 + ceil(self.drain_seconds),
            "respawn_failed_workers": True,
            # Else every write of the database restarts the workers.
            "reload_ignore_paths": [str(self.embedded_dir)] if self.embedded_dir else [],
        }

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        app_config.lifespan.append(self._draining)
        return app_config

    @contextmanager
    def server_lifespan(self, app: Litestar) -> Iterator[None]:
        """Runs once, in the parent of the workers."""
        address = _address()
        if self.embedded_dir:
            self.migrate()
            _logger.info("Embedded PostgreSQL in %s", self.embedded_dir)
        self.budget(get_current_context().params["wc"])
        _logger.info("Docs at %s/schema, access is %s", address, self.access)
        _end_on_hangup()
        try:
            with shared_folder():
                yield
        finally:
            if self.embedded_dir:
                embedded.stop(self.embedded_dir)

    @asynccontextmanager
    async def _draining(self, _app: Litestar) -> AsyncIterator[None]:
        begun = False

        def begin() -> None:
            nonlocal begun
            if not begun:  # Granian's parent repeats the signal.
                begun = True
                self.drain()
                # For Granian SIGINT means the same; we took only SIGTERM from it.
                loop.call_later(self.drain_seconds, signal.raise_signal, signal.SIGINT)

        loop = get_running_loop()
        if self.drain_seconds:
            loop.add_signal_handler(signal.SIGTERM, begin)
        yield


def _address() -> str:
    """Where the service will listen. Raises: ClickException."""
    options = get_current_context().params
    if options.get("uds") or options.get("fd") is not None:
        return f"unix:{options['uds']}" if options["uds"] else f"file descriptor {options['fd']}"
    host, port = options["host"], options["port"]
    try:
        # Granian would share the port with another service, and each would get some of the requests.
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return f"http://{host}:{port}"


def _end_on_hangup() -> None:
    """Closing the terminal ends the service. Granian's command would take that signal as one to reload the workers."""
    received, written = socket.socketpair()
    written.setblocking(False)
    signal.set_wakeup_fd(written.detach(), warn_on_full_buffer=False)

    def wait() -> None:
        while True:
            if signal.SIGHUP in received.recv(1):
                # To the main thread, which would not wake for one that another thread took.
                signal.pthread_kill(main_thread().ident or 0, signal.SIGTERM)
                time.sleep(2)  # For requests in flight. The second signal ends what the first did not.
                signal.pthread_kill(main_thread().ident or 0, signal.SIGTERM)

    Thread(target=wait, daemon=True).start()
