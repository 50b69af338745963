"""Shared: a folder in memory that the workers of one service have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

_NAME = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names it, as the library for metrics wants it called."""
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
"""Where such a folder costs no disk, and where one can be made although the root is read-only."""


def new_folder() -> Path:
    return Path(mkdtemp(prefix="litestar-users-", dir=_MEMORY))


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
