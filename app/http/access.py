"""Access: who may call."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

_LOCAL_HOST = re.compile(rb"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_PROXY_HEADERS = frozenset({b"forwarded", b"x-real-ip", b"via"})
_REFUSED = "ACCESS=local serves this machine only; set ACCESS=open behind a gateway that authenticates"


@lru_cache(256)
def is_local(client: str, host: bytes) -> bool:
    """Whether a client address and a Host header both name this machine; the latter stops DNS rebinding."""
    try:
        address = ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback) and _LOCAL_HOST.fullmatch(host) is not None and is_host(host)


@lru_cache(256)
def is_host(host: bytes) -> bool:
    """Whether a Host header can be part of a URL, which the framework takes for granted."""
    try:
        return urlsplit(b"//" + host).port != 0
    except ValueError:
        return False
