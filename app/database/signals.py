"""Signals: a process that is told to end does so in order, also while it starts."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

_HEARD = 0.3
"""Seconds that Granian's parent needs at most to hear a signal that its workers were sent as well."""


def install_exit_handlers() -> None:
    """Let a signal that nobody listens to yet end this process by SystemExit, so that it leaves what it joined.

    The kernel would end other processes at once, and process 1 not at all. A worker of Granian begins with its parent's
    handlers, which mean nothing to it.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT) if current_thread() is main_thread() else ():
        handler = signal.getsignal(number)
        if handler is signal.SIG_DFL or getattr(handler, "__module__", "").startswith("granian."):
            signal.signal(number, _end)


@contextmanager
def quiet_interrupts() -> Iterator[None]:
    """Let Ctrl-C end a process that still imports without a word: where it was by then tells nobody anything."""
    is_python = current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_python:
        signal.signal(signal.SIGINT, _end)
    yield
    if is_python:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, _frame: FrameType | None) -> None:
    if multiprocessing.parent_process():
        # A worker that is gone before its parent has heard why would be replaced. It has nothing to leave yet.
        time.sleep(_HEARD)
        os._exit(128 + number)
    sys.exit(128 + number)
