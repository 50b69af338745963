"""Files: what an import reads and writes, none of which it may spoil."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from app.cli.command import CommandFailure
from app.cli.exporting import atomic_file

FAILED = 2
"""Exit status of an import that failed."""


@contextmanager
def new_file(file: str | None, source: BinaryIO, *, force: bool) -> Iterator[BinaryIO | None]:
    """A file that was not there, or may be overwritten, and never the one that is read. Raises: CommandFailure."""
    if file and _is_same(file, source):
        raise CommandFailure(f"{file}: is what is to be imported", status=FAILED)
    if file and not force and not _reserved(file):
        raise CommandFailure(f"{file}: is there already; --force overwrites it", status=FAILED)
    # An import that fails has its rejects too.
    with atomic_file(file, status=FAILED, keep_unfinished=True) if file else nullcontext() as out:
        yield out


def _is_same(file: str, source: BinaryIO) -> bool:
    """Whether a name leads to the file that is read, by a link too."""
    try:
        return Path(file).is_file() and os.path.samestat(os.stat(file), os.fstat(source.fileno()))
    except OSError:
        return False  # of what is no file, as in a test's standard input


def _reserved(file: str) -> bool:
    """Whether nobody else has a file of this name, and nobody will."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return not Path(file).is_file()
    except OSError:
        return True  # Said where it is written.
    return True


def opened(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return open(file, "rb")
    except OSError as error:
        raise CommandFailure(f"{file}: {error.strerror}", status=FAILED) from None
