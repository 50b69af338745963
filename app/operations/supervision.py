"""Supervision: what systemd is told, where it wants to know (`Type=notify`)."""

import os
import socket


def notify(state: str) -> None:
    """Send `READY=1` or the like as a datagram to whoever started the service."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            # A name that begins with @ is none of the file system's.
            sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
