"""Embedded: the private PostgreSQL of a laptop or a test run, when no DATABASE_URL is given.

Everyone who uses the server of a folder shares a lock on `users` there, and who leaves as the last stops the server.
The kernel drops a process' lock however that process ends, so there is no list that could go stale.
"""

import atexit
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread

from app.database.homes import ServerError, give, prepare_home
from app.database.postgres import PostgresServer, try_lock
from app.database.signals import install_exit_handlers

_holders: dict[tuple[int, Path], int] = {}
"""The lock that a process holds on a folder's `users`. A forked child has none: it must not leave for its parent."""


def start(data_dir: Path) -> str:
    """Start or join the server of `data_dir`, and return the folder of its socket.

    It stops with the last process that joined it. The first time takes a second, joining a millisecond.
    Raises: ServerError.
    """
    try:
        home = prepare_home(data_dir)
        install_exit_handlers()
        with _locked(home):
            if (os.getpid(), home) not in _holders:
                holder = os.open(home / "users", os.O_RDWR | os.O_CREAT, 0o600)
                give(holder, home)
                fcntl.flock(holder, fcntl.LOCK_SH)
                _holders[os.getpid(), home] = holder
                atexit.register(stop, home)
            return PostgresServer(home).start()
    except ServerError:
        raise
    except OSError as error:
        raise ServerError(f"{error.filename or data_dir}: {error.strerror}") from error


def stop(data_dir: Path) -> None:
    """Leave the server of `data_dir`, and stop it unless another process uses it."""
    home = data_dir.resolve()
    holder = _holders.pop((os.getpid(), home), None)
    if holder is None or not home.exists():
        return
    with _signals_ignored(), _locked(home):
        if _is_last_holder(holder):
            PostgresServer(home).stop()
        os.close(holder)


def _is_last_holder(holder: int) -> bool:
    """Whether nobody else uses the server. If so, nobody can until `holder` is closed; if not, another is the last."""
    for delay in (0.1, 0.2, 0.2, 0):
        if try_lock(holder):
            return True
        time.sleep(delay)  # A killed worker takes a moment to let go.
    return False


def _let_go() -> None:
    """A child's copies would keep a server whose users are all gone."""
    while _holders:
        os.close(_holders.popitem()[1])


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the server."""
    folder = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Ignore an impatient second Ctrl-C, which would leave the server running."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if current_thread() is main_thread() else ()
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
