"""Tokens: 256 random bits in base64url and a check sum, of which only the hash is kept."""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from zlib import crc32

_PREFIX = "lus_"
"""By which scanners of secrets find what leaked."""
_is_token = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{43}}[0-9a-f]{{8}}").fullmatch


def make_token() -> str:
    token = _PREFIX + secrets.token_urlsafe(32)
    return f"{token}{crc32(token.encode()):08x}"


def token_hash(token: str) -> bytes | None:
    """What is kept of a token; None of what is none, for which nobody has to be asked."""
    if not _is_token(token) or crc32(token[:-8].encode()) != int(token[-8:], 16):
        return None
    return sha256(token.encode()).digest()
