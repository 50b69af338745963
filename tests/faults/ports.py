"""Ports: free ones of the loopback interface, which stay free while their server is down."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """A port below those that the kernel gives to clients: nobody takes it while a test restarts its server."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
