"""Tokens: 256 random bits in base64url with a check sum, of which only the hash is kept."""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from zlib import crc32

_PREFIX = "lus_"
"""By which scanners of secrets find what leaked."""
_is_token = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{48}}").fullmatch


def make_token() -> str:
    random = secrets.token_bytes(32)
    return _PREFIX + urlsafe_b64encode(random + _check_sum(random)).decode()


def token_hash(token: str) -> bytes | None:
    """What is kept of a token; None of what is none, for which nobody has to be asked."""
    if not _is_token(token):
        return None
    raw = urlsafe_b64decode(token.removeprefix(_PREFIX))
    return sha256(token.encode()).digest() if raw[32:] == _check_sum(raw[:32]) else None


def _check_sum(random: bytes) -> bytes:
    return crc32(random).to_bytes(4, "big")
