"""Server: Granian's parent process, which `litestar run` and `python -m app` become, and how its workers begin."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from ssl import SSLError
from typing import Any

from click import ClickException
from granian._granian import SocketHolder
from granian.server import MPServer

from app.operations.shared import has_served

_SIGNALS = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
_LOGS: dict[str, dict[str, Any]] = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {}, "granian.access": {}}}
"""Granian's lines look like all others."""
_logger = logging.getLogger(__name__)


class Interrupt:
    """An event that a signal handler may set at any moment: those of `threading` have a lock, which the very thread may
    hold that the signal interrupts, as when a supervisor and `uv run` both tell it to end."""

    def __init__(self) -> None:
        self._set: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        return not self._set.empty()

    def set(self) -> None:
        self._set.put(None)

    def clear(self) -> None:
        """By whoever waits, and nobody else."""
        self._set = SimpleQueue()

    def wait(self) -> None:
        self._set.put(self._set.get())


class Server(MPServer):
    """Ends when it is told to, at whatever moment and however often."""

    _respawns = False

    def __init__(
        self, target: str, *, load: Callable[[], Any], fd: int | None, note: str, log_dictconfig: Any, **options: Any
    ) -> None:
        """`load` makes in each worker what it serves; `fd` is a socket to listen on, `note` is logged at the start."""
        try:
            super().__init__(target, log_dictconfig=log_dictconfig or _LOGS, **options)
        except SSLError as error:
            raise ClickException(
                f"cannot use this certificate with this key: {error.reason or 'they are not PEM'}"
            ) from error
        self.main_loop_interrupt: Any = Interrupt()
        self._load = load
        self._given = fd
        self._note = note
        # `nohup`, and a shell for what runs in its background, have signals ignored.
        self._ignored = {number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_IGN}

    @property
    def respawn_failed_workers(self) -> bool:
        """What failed before anything was served would fail again."""
        return self._respawns and has_served()

    @respawn_failed_workers.setter
    def respawn_failed_workers(self, whether: bool) -> None:
        self._respawns = whether

    def serve(self, *_: Any, **__: Any) -> None:
        """Raises: SystemExit."""
        self.on_startup(self._prepare)
        try:
            super().serve(target_loader=partial(_begin_worker, self._load), wrap_loader=False)
        except SystemExit:
            # A worker that was gone before it could be told is no failure of a service that shall end.
            if not self.interrupt_signal:
                raise
        finally:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)  # Only this process' own end is still to come.

    def _init_shared_socket(self) -> None:
        if self._given is None:
            super()._init_shared_socket()  # type: ignore[no-untyped-call]
            return
        with socket.socket(fileno=os.dup(self._given)) as given:
            is_local = given.family == socket.AF_UNIX
        holder: Any = SocketHolder
        self._shd = holder(self._given, is_local, self.backlog)
        self._sso = socket.socket(fileno=self._given)
        self._sso.set_inheritable(True)

    def _prepare(self) -> None:
        # Granian has just installed its own handlers: for it the end of a terminal is a wish for new workers.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN if number in self._ignored else self.signal_handler_interrupt)
        os.register_at_fork(before=_hold_signals, after_in_parent=_take_signals)
        _logger.info(self._note)


def _hold_signals() -> None:
    if multiprocessing.parent_process() is None:  # What a worker forks is its own affair.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _take_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _begin_worker(load: Callable[[], Any]) -> Any:
    """Have only its parent tell a worker to end, and end it at once while it has nothing to finish.

    A worker that was forked hears nothing until then; one that was spawned, as on macOS, is not its parent's copy.
    """
    os.setsid()
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
    _take_signals()
    return load()
