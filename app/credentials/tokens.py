"""Tokens: 256 random bits in base64url and a check sum, of which only the hash is kept."""

from __future__ import annotations

import secrets
from hashlib import sha256
from zlib import crc32

_PREFIX = "lus_"
"""By which scanners of secrets find what leaked."""
_LENGTH = 55


def make_token() -> str:
    token = _PREFIX + secrets.token_urlsafe(32)
    return f"{token}{crc32(token.encode()):08x}"


def token_hash(token: bytes) -> bytes | None:
    """What is kept of a token; None of what is none, for which nobody has to be asked."""
    if len(token) != _LENGTH or b"%08x" % crc32(token[:-8]) != token[-8:]:
        return None
    return sha256(token).digest()
