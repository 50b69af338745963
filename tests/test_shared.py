"""Shared folders: what a service that was killed has left in memory goes at the next start, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import psutil
import pytest

from tests.services import ROOT

_PARENT = """
import os, signal, sys
from app.operations.shared import shared_folder

with shared_folder() as folder:
    (folder / "counter").touch()
    worker = os.fork()
    if not worker:
        sys.stdin.read()
        os._exit(0)
    print(folder, worker, flush=True)
    sys.stdin.read()
"""


class Parent(NamedTuple):
    process: subprocess.Popen[str]
    folder: Path
    worker: psutil.Process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def kill_worker(self) -> None:
        self.worker.kill()
        psutil.wait_procs([self.worker], timeout=10)


@pytest.fixture
def start() -> Iterator[Callable[[], Parent]]:
    started = []

    def start() -> Parent:
        command = [sys.executable, "-c", _PARENT]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        folder, worker = process.stdout.readline().split()
        return Parent(process, Path(folder), psutil.Process(int(worker)))

    yield start
    for process in started:
        process.communicate()


def test_the_next_start_removes_what_a_killed_service_left(start: Callable[[], Parent]) -> None:
    killed, living = start(), start()
    killed.kill()
    killed.kill_worker()

    start()

    assert (killed.folder.exists(), living.folder.exists()) == (False, True)


def test_workers_that_outlive_their_parent_keep_their_folder(start: Callable[[], Parent]) -> None:
    orphaned = start()
    orphaned.kill()

    start()
    meanwhile = orphaned.folder.exists()
    orphaned.kill_worker()
    start()

    assert (meanwhile, orphaned.folder.exists()) == (True, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to somebody else")
def test_what_is_somebody_elses_stays(start: Callable[[], Parent], tmp_path: Path) -> None:
    place = start().folder.parent
    theirs = Path(mkdtemp(prefix="litestar-users-1-", dir=place))
    os.chown(theirs, 65534, 65534)
    link = place / f"litestar-users-1-{os.getpid()}"
    link.symlink_to(tmp_path)

    start()

    try:
        assert (theirs.exists(), link.is_symlink(), tmp_path.exists()) == (True, True, True)
    finally:
        theirs.rmdir()
        link.unlink()
