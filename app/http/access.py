"""Access: who may call, and by which names."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from litestar.exceptions import NotFoundException

from app.problems import Forbidden, Malformed

if TYPE_CHECKING:
    from litestar.types import HTTPScope

PROXY_HEADERS = frozenset({b"forwarded", b"x-real-ip", b"via"})
REFUSED = "ACCESS=local serves this machine only; set ACCESS=token, or ACCESS=open behind a gateway that authenticates"
_host = re.compile(rb"(\[[0-9A-Fa-f:.]++\]|[\w.-]++)(?::(\d{0,5}+))?").fullmatch
_hides_separator = re.compile(rb"%(?:2f|5c)", re.IGNORECASE).search


def check(scope: HTTPScope, hosts: list[bytes], *, local: bool, proxied: bool) -> None:
    """Raises: Malformed, Forbidden, NotFoundException."""
    if len(hosts) > 1:
        # A proxy in front may have looked at the other one (RFC 9112, 3.2).
        raise Malformed("There is more than one Host")
    host = hosts[0] if hosts else b""
    if local:
        # Who comes by a unix socket has no address; the server's is the path of the socket.
        client = (scope["client"] or ("",))[0] or (scope["server"] or ("",))[0]
        if proxied or not is_local(client, host):
            raise Forbidden(REFUSED)
    elif not is_host(host) and (host or scope["http_version"] == "1.1"):
        raise Malformed("The Host header cannot be parsed" if host else "There is no Host")
    # A proxy in front takes these for other paths than the framework does, and so do its rules.
    path = scope.get("raw_path") or scope["path"].encode()
    if b"//" in path or b"\\" in path or (b"%" in path and _hides_separator(path)):
        raise NotFoundException


@lru_cache(256)
def is_local(client: str, host: bytes) -> bool:
    """Whether a client's address, or the path of its socket, and a Host header both name this machine.

    The latter stops DNS rebinding.
    """
    if not client.startswith("/") and not _is_loopback(client):
        return False
    found = _host(host)
    name = found[1].decode().lower().removesuffix(".") if found and is_host(host) else ""
    # RFC 6761, 6.3: whatever ends in localhost is the loopback interface.
    return f".{name}".endswith(".localhost") or _is_loopback(name.strip("[]"))


@lru_cache(256)
def is_host(host: bytes) -> bool:
    """Whether a Host header can be part of a URL, which the framework takes for granted."""
    found = _host(host)
    return found is not None and 0 < int(found[2] or b"80") < 65_536


def _is_loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return bool((getattr(found, "ipv4_mapped", None) or found).is_loopback)
