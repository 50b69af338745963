"""Files: what an import reads and writes, none of which it may spoil."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from app.cli.command import CommandFailure

FAILED = 2
"""Exit status of an import that failed."""


@contextmanager
def new_file(file: str | None, *others: BinaryIO | None, force: bool) -> Iterator[BinaryIO | None]:
    """A file that was not there, or may be overwritten, and none of the others. Raises: CommandFailure."""
    if file is None:
        yield None
        return
    if any(other is not None and _is_same(file, other) for other in others):
        raise CommandFailure(f"{file}: is what is to be imported", status=FAILED)
    if not force and not _reserved(file):
        raise CommandFailure(f"{file}: is there already; --force overwrites it", status=FAILED)
    is_done = False
    try:
        # An import that fails has its rejects too.
        with atomic_file(file, status=FAILED, keep_unfinished=True) as out:
            yield out
        is_done = True
    finally:
        if not (is_done or force) and Path(file).is_file() and not Path(file).stat().st_size:
            Path(file).unlink()


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


@contextmanager
def atomic_file(file: str, *, status: int = 1, keep_unfinished: bool = False) -> Iterator[BinaryIO]:
    """A file that nobody else may read. It takes the place of another only at the end, and if nothing was raised.

    Raises: Failure, with `status`.
    """
    try:
        if Path(file).exists() and not Path(file).is_file():
            with open(file, "wb") as out:  # a pipe or a device, which has nothing to lose
                yield out
        else:
            with _atomic_replacement(Path(file).resolve(), keep_unfinished) as out:
                yield out
    except OSError as error:
        raise CommandFailure(f"{file}: {error.strerror}", status=status) from None


@contextmanager
def _atomic_replacement(target: Path, keep_unfinished: bool) -> Iterator[BinaryIO]:
    handle, unfinished = mkstemp(prefix=".unfinished-", dir=target.parent)
    is_whole = False
    try:
        with os.fdopen(handle, "wb") as out:
            try:
                yield out
                is_whole = True
            finally:
                if is_whole or (keep_unfinished and out.tell()):
                    out.flush()
                    os.fsync(handle)
                    os.replace(unfinished, target)
    finally:
        Path(unfinished).unlink(missing_ok=True)
