"""Shared: a folder in memory that the workers of one service have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir, mkdtemp

_NAME = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names it, as the library for metrics wants it called."""
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
"""Where such a folder costs no disk, and where one can be made although the root is read-only."""


def new_folder() -> Path:
    """A folder that this process holds. What was left by others that were killed goes."""
    _remove_abandoned()
    while True:
        folder = Path(mkdtemp(prefix=f"litestar-users-{os.getpid()}-", dir=_MEMORY))
        if hold(folder):
            return folder


def hold(folder: Path) -> bool:
    """Keep a folder while this process lives, or one that it forks. Whether it was there to be kept.

    The kernel forgets a lock with the last process that has it; a process' number may be another one's by then.
    """
    with suppress(FileNotFoundError, BlockingIOError):
        flock(os.open(folder, os.O_DIRECTORY), LOCK_SH | LOCK_NB)
    return folder.exists()


def _remove_abandoned() -> None:
    for folder in Path(_MEMORY or gettempdir()).glob("litestar-users-*-*"):
        with suppress(OSError):  # Somebody else's, or held.
            place = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(place).st_uid == os.geteuid():
                    flock(place, LOCK_EX | LOCK_NB)
                    rmtree(folder)
            finally:
                os.close(place)


def shared() -> Path | None:
    """The folder, unless this process is a worker of its own."""
    folder = os.environ.get(_NAME)
    return Path(folder) if folder else None


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Give the workers that are started meanwhile a folder to share."""
    folder = new_folder()
    os.environ[_NAME] = str(folder)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def is_first() -> bool:
    """Whether no worker before this one came so far as to serve."""
    try:
        os.close(os.open(_served(), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def has_served() -> bool:
    return _served().exists()


def _served() -> Path:
    return Path(os.environ[_NAME], "served")
