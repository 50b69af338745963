"""Terminals: what a person sees of a command, who may answer."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from anyio import to_thread

from app.database.engine import ROOT
from app.settings.database_url import DatabaseUrl
from tests.databases import as_text


async def on_terminal(program: str, *arguments: str, url: DatabaseUrl, answer: str = "") -> tuple[int, str]:
    """The exit status of a program of this environment, and what its terminal shows."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    environment = {**os.environ, "DATABASE_URL": as_text(url)}
    return await to_thread.run_sync(_show, command, environment, answer)


def _show(command: list[str], environment: dict[str, str], answer: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        shown = _read(ours)
    os.close(ours)
    return process.returncode, shown.replace("\r\n", "\n")


def _read(terminal: int) -> str:
    seen = b""
    try:
        while more := os.read(terminal, 1024):
            seen += more
    except OSError:
        pass  # Linux's way to say that the other end is closed.
    return seen.decode()
