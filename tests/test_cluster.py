"""Cluster: what its benchmark counts, and that it leaves nothing behind."""

from __future__ import annotations

import shutil
import sys

import psutil
import pytest

from benchmarks.cluster.__main__ import require_programs
from benchmarks.cluster.ledger import Created, Ledger, longest_gap
from benchmarks.cluster.processes import Processes
from benchmarks.cluster.programs import Missing


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)

    with pytest.raises(Missing, match="there is no etcd: apt-get install etcd-server"):
        require_programs()


def test_what_is_not_there_or_older_than_acknowledged_is_lost() -> None:
    told = {path: Created(path, f"{path}@example.com", 1) for path in ("kept", "gone", "older", "another's")}
    stored = [("kept", "kept@example.com", 1), ("older", "older@example.com", 0), ("another's", "x@example.com", 1)]

    assert Ledger(acknowledged=told).lost(stored) == 3


def test_the_longest_time_without_an_answer_may_be_at_an_end() -> None:
    assert [longest_gap(times, 0, 10) for times in ([1, 2, 3], [3, 9, 4], [])] == [7, 5, 10]


def test_whoever_is_interrupted_leaves_no_process_and_no_folder() -> None:
    with pytest.raises(KeyboardInterrupt), Processes() as processes:  # noqa: PT012  # what leaves is the context
        folder = processes.folder
        child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'], start_new_session=True)"
        program = f"{child}; print(flush=True); import time; time.sleep(60)"
        processes.start("one", sys.executable, "-c", program, cwd=folder, as_server=False)
        processes.until("one", lambda: bool(processes.log("one").read_text()))
        raise KeyboardInterrupt

    assert not folder.exists()
    assert not [one for one in psutil.process_iter(["cwd"]) if str(one.info["cwd"] or "").startswith(str(folder))]
