"""Server: what `litestar run` does around the workers, and how a worker takes leave of its clients."""

import logging
import os
import signal
import sys
import time
from asyncio import get_running_loop
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from types import FrameType
from typing import Any

from click import Group, get_current_context
from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.plugins import CLIPlugin
from litestar_granian import GranianPlugin
from litestar_granian.supervisor import _GranianSupervisor

from app.database import embedded
from app.database.engine import ROOT
from app.operations.listening import address
from app.operations.metrics import shared_folder

_logger = logging.getLogger(__name__)
_REPEAT_INTERVAL = 0.5
"""Seconds after which whatever still runs is sent a signal again."""


@dataclass(kw_only=True, eq=False)
class ServerPlugin(GranianPlugin, CLIPlugin):
    """Granian as the server of `litestar run`: its parent process outlives all it started, whatever the signal.

    On SIGTERM a worker calls `drain`, goes on accepting for `drain_seconds`, and then finishes what is in flight.
    """

    access: str
    embedded_dir: Path | None
    migrate: Callable[[], None]
    drain: Callable[[], None]
    log_budget: Callable[[int], None]
    drain_seconds: float = 0

    def __post_init__(self) -> None:
        super().__init__()

    def on_cli_init(self, cli: Group) -> None:
        super().on_cli_init(cli)
        import litestar_granian.cli as command

        command._GranianSupervisor = Supervisor  # type: ignore[attr-defined]
        if not sys.stdout.isatty():
            # A farewell between lines of JSON helps nobody.
            os.environ.setdefault("LITESTAR_QUIET_CONSOLE", "1")
        cli.commands["run"].context_settings["default_map"] = {
            # HTTP/2 without TLS serves no client that we have.
            "http": "1",
            # No route is one; as plain HTTP a handshake gets a problem with its request id like all else.
            "ws_enabled": False,
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
        where = address()
        # The workers find the application wherever the command was called from.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        if self.embedded_dir:
            self.migrate()
            _logger.info("Embedded PostgreSQL in %s", self.embedded_dir)
        self.log_budget(get_current_context().params["wc"])
        mounted = (get_current_context().params.get("url_path_prefix") or "").strip("/")
        _logger.info("Docs at %s, access is %s", "/".join(filter(None, (where, mounted, "schema"))), self.access)
        try:
            with shared_folder():
                yield
        finally:
            if self.embedded_dir:
                embedded.stop(self.embedded_dir)

    @asynccontextmanager
    async def _draining(self, _app: Litestar) -> AsyncIterator[None]:
        draining = False

        def begin_draining() -> None:
            nonlocal draining
            if not draining:  # Granian's parent repeats the signal.
                draining = True
                self.drain()
                # For Granian SIGINT means the same; we took only SIGTERM from it.
                loop.call_later(self.drain_seconds, signal.raise_signal, signal.SIGINT)

        loop = get_running_loop()
        if self.drain_seconds:
            loop.add_signal_handler(signal.SIGTERM, begin_draining)
        yield


class Supervisor(_GranianSupervisor):
    """Granian's process and its workers. A signal that one of them did not hear, as it was starting, is repeated."""

    _last_signal = signal.SIGTERM

    def __init__(self, *command: Any, **how: Any) -> None:
        super().__init__(*command, **how)
        # `nohup`, and a shell for what runs in its background, have signals ignored.
        self._ignored = {number for number in signal.Signals if signal.getsignal(number) is signal.SIG_IGN}

    def run(self) -> int:
        status = super().run()
        # A signal that arrives in Granian's first moment, or its last one, makes failures of what was asked for.
        return 0 if self._termination_forwarded and not self._killed else status

    def forward(self, signum: int) -> None:
        if signum in self._ignored:
            return
        # Closing the terminal ends the service. Granian would take that signal as one to reload the workers.
        self._last_signal = signal.SIGTERM if signum == signal.SIGHUP else signal.Signals(signum)
        super().forward(self._last_signal)

    def _arm_deadline(self) -> None:
        self.deadline = time.monotonic() + self.kill_timeout + 5
        if self._alarm_installed:
            signal.setitimer(signal.ITIMER_REAL, _REPEAT_INTERVAL, _REPEAT_INTERVAL)

    def _handle_deadline(self, _signum: int, _frame: FrameType | None) -> None:
        if self.deadline and time.monotonic() > self.deadline:
            self._kill_group()
        else:
            self._send_group_signal(self._last_signal)
