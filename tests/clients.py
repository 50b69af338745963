"""Clients: requests to an application in this process, from any address."""

from __future__ import annotations

from typing import Any, cast

import httpx
from litestar import Litestar


def client_of(app: Litestar, *, address: str = "127.0.0.1", host: str = "localhost") -> httpx.AsyncClient:
    """A client at `address` that asks for `host`."""
    transport = httpx.ASGITransport(app=cast("Any", app), client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")
