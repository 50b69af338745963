"""Setting values: what a text means to a setting of some type, or what it may be."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal, TypeAlias, get_origin

import msgspec

from app.settings.database_url import DatabaseUrl, parse_database_url

Network: TypeAlias = IPv4Network | IPv6Network
_SWITCH = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def read_value(kind: Any, text: str) -> Any:
    """A setting of this type, from its text. Raises: ValueError, saying what is allowed."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise ValueError("is in quotes: write it without them")
    if kind is str:
        return os.path.expanduser(text)
    if kind == DatabaseUrl | None:
        return parse_database_url(text)
    if kind in _LISTS:
        read, nouns = _LISTS[kind]
        try:
            return tuple(read(one.strip()) for one in text.split(","))
        except ValueError:
            raise ValueError(f"must be {nouns}, separated by commas") from None
    if kind is bool or get_origin(kind) is Literal:
        text = _SWITCH.get(text.lower(), text.lower())
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        raise ValueError(f"must be {_allowed(kind)}") from None


def _network(text: str) -> Network:
    """IPv4 also where it is written as IPv6, as clients' addresses are read. Raises: ValueError."""
    network = ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return network if mapped is None else ip_network((mapped, max(0, network.prefixlen - 96)))


def _origin(text: str) -> str:
    """As browsers write it: in small letters, without a path. Raises: ValueError."""
    if not re.fullmatch(r"https?://(?:[a-z\d.-]+|\[[\da-f:]+\])(?::\d{1,5})?", text):
        raise ValueError
    return text


_LISTS: dict[Any, tuple[Callable[[str], Any], str]] = {
    tuple[Network, ...]: (_network, "networks like 10.0.0.0/8 or addresses"),
    tuple[str, ...]: (_origin, "origins like https://app.example.com"),
}


def _allowed(kind: Any) -> str:
    """What a setting of this type may hold, in words."""
    described = msgspec.inspect.type_info(kind)
    if isinstance(described, msgspec.inspect.UnionType):
        described = described.types[0]  # Or None, which nobody writes.
    if isinstance(described, msgspec.inspect.LiteralType):
        return "one of " + ", ".join(str(value) for value in described.values)
    if isinstance(described, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        bounds = [
            f"{word} {bound}"
            for word, bound in (("at least", described.ge), ("more than", described.gt), ("at most", described.le))
            if bound is not None
        ]
        noun = "a whole number" if isinstance(described, msgspec.inspect.IntType) else "a number"
        return " and ".join([f"{noun} of {bounds[0]}", *bounds[1:]]) if bounds else noun
    if isinstance(described, msgspec.inspect.Metadata):
        return str((described.extra_json_schema or {})["description"])
    return "true or false" if isinstance(described, msgspec.inspect.BoolType) else "text"
