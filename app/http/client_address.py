"""Client address: the network that a request comes from, behind proxies that are trusted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, TypeAlias

import structlog
from litestar import Request

from app.http.access import PROXY_HEADERS
from app.http.etags import header_value
from app.settings.values import Network

Address: TypeAlias = IPv4Address | IPv6Address
_log = structlog.get_logger("app.access")


class ClientAddress:
    """Tells networks, and the log once of a proxy that is not trusted."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted
        self._has_told = False

    def network(self, request: Request[Any, Any, Any]) -> str | None:
        """IPv4 /32 or IPv6 /64; None where there is no address, or the one of a proxy that is not trusted."""
        peer = _address((request.scope["client"] or ("",))[0])
        names = [name for name, _ in request.scope["headers"]]
        if any(name in PROXY_HEADERS or name.startswith(b"x-forwarded-") for name in names):
            peer = self._behind(peer, header_value(request, b"x-forwarded-for") or "")
        if peer is None:
            return None
        return str(ip_network((peer, 64), strict=False) if peer.version == 6 else ip_network(peer))

    def _behind(self, peer: Address | None, passed_on: str) -> Address | None:
        """The right-most address that is not trusted: whatever is left of it may be invented."""
        if not self._is_trusted(peer):
            if not self._has_told:
                self._has_told = True
                _log.warning("Headers of a proxy by a peer outside TRUSTED_PROXIES", peer=str(peer or "unix socket"))
            # Where no proxy is named at all a neighbour is one; else it is a stranger who makes himself one.
            return peer if self._trusted or (peer and peer.is_global) else None
        found = peer
        for text in reversed(re.findall(r"[^\s,]+", passed_on)):
            found = _address(text)
            if found is None or not self._is_trusted(found):
                break
        return found

    def _is_trusted(self, address: Address | None) -> bool:
        """Where a proxy is named, whoever may use our unix socket is one of them."""
        return any(address is None or address in network for network in self._trusted)


def _address(text: str) -> Address | None:
    """An address, maybe with a port; IPv4 also where it is written as IPv6."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
