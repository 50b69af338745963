"""Leaving: how a worker takes leave of its clients, when it is told to and when its parent is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from asyncio import get_running_loop
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import rmtree

from app.database import embedded
from app.operations.shared import shared


@asynccontextmanager
async def leaving(
    drains: Sequence[Callable[[], None]], drain_seconds: float, *, embedded_dir: Path
) -> AsyncIterator[None]:
    """On SIGTERM call each of `drains`, go on accepting for `drain_seconds`, and then finish what is in flight."""
    loop, parent = get_running_loop(), multiprocessing.parent_process()
    has_begun = is_orphan = False

    def begin() -> None:
        nonlocal has_begun
        if not has_begun:
            has_begun = True
            notify("STOPPING=1")
            for drain in drains:
                drain()
            # For Granian SIGINT means the same; we took only SIGTERM from it.
            loop.call_later(drain_seconds, signal.raise_signal, signal.SIGINT)

    def end() -> None:
        nonlocal is_orphan
        is_orphan = True
        loop.remove_reader(parent.sentinel)  # type: ignore[union-attr]
        begin()

    if drain_seconds:
        loop.add_signal_handler(signal.SIGTERM, begin)
    if parent:
        loop.add_reader(parent.sentinel, end)
    notify("READY=1")
    yield
    folder = shared()
    if is_orphan or (parent and not folder):
        # What its parent would have done, or does not know: Granian and uvicorn alone.
        embedded.stop(embedded_dir)
    if is_orphan and folder:
        rmtree(folder, ignore_errors=True)


def notify(state: str) -> None:
    """Send `READY=1` or the like as a datagram to systemd, where it wants to know (`Type=notify`)."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            # A name that begins with @ is none of the file system's.
            sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
