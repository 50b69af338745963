"""Hash forms: how systems spell a hash, brought to one spelling, and the names of what cannot be checked."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app.credentials.foreign_hashes import kind

NO_PASSWORD = "!"  # noqa: S105  # which no password has
"""Stands for the hash of an account that nobody can sign in to, until it is given a password."""
_ARGON2 = re.compile(r"(\$argon2\w+(?:\$v=\d+)?)\$([mtp]=\d+),([mtp]=\d+),([mtp]=\d+)\$([^$=]+)=*\$([^$=]+)=*")
_REFUSED = {
    r"\$2": "bcrypt of another version than 2a, 2b and 2y, of a cost beyond 4 to 13, or damaged",
    r"\$argon2": "argon2 that is damaged, or beyond 100 MiB, 16 passes, 16 lanes or 1 GiB in all",
    r"\$1\$|\$apr1\$": "MD5-crypt",
    r"\$5\$": "SHA-256-crypt",
    r"\$6\$": "SHA-512-crypt",
    r"\$(?:y|7|gy)\$": "yescrypt",
    r"\{\w+\}": "LDAP's, but not {SSHA}",
    r"JDJ": "bcrypt in base64, which is to be decoded first",
    r"\*[\dA-F]{40}\Z": "MySQL's",
    r"(?:md5|sha\d*|hmac)\$|[\da-fA-F]{32,}:": "a digest with a salt, but without the cost of it",
    r"(?=[\da-fA-F]+\Z)(?:.{32}|.{40}|.{56}|.{64}|.{96}|.{128})\Z": "plain MD5 or SHA in hex",
    r"[A-Za-z0-9+/_-]{86}==\Z": "Firebase's scrypt, which needs its project's key",
    r"\$?pbkdf2|\$?scrypt|AQAAAA|\$[PHS]\$|\$wp|bcrypt": "damaged, or costlier than a sign-in may be",
}
_refused = [(re.compile(pattern).match, name) for pattern, name in _REFUSED.items()]


def check_hash(text: str) -> None:
    """Accept what can be checked, at a cost that can be borne. Raises: ValueError, which names the kind."""
    if name := refused_kind(text):
        raise ValueError(f"cannot be checked at a sign-in: {name}")


def refused_kind(text: str) -> str | None:
    """What a hash is that cannot be checked."""
    if kind(text) is not None:
        return None
    return next((name for match, name in _refused if match(text)), "not a hash of a kind that is known")


def normal_hash(given: Any) -> Any:
    """A hash in the spelling that is checked; None where Django says that there is no password."""
    if isinstance(given, dict):
        given = _of_keycloak(given)
    if not isinstance(given, str):
        return given
    text = given.strip(" \t\r\n\0")
    if text.startswith("!") and text != NO_PASSWORD:
        return None
    text = text.removeprefix("bcrypt$" if text.startswith("bcrypt$$2") else "argon2" if "2$arg" in text[:10] else "")
    if found := _ARGON2.fullmatch(text):
        start, *costs, salt, hashed = found.groups()
        return f"{start}${','.join(sorted(costs, key=lambda cost: 'mtp'.index(cost[0])))}${salt}${hashed}"
    return text


def _of_keycloak(credential: dict[str, Any]) -> Any:
    """The hash that a credential of Keycloak says in two objects, each as a text."""
    try:
        secret, data = (msgspec.json.decode(credential[name]) for name in ("secretData", "credentialData"))
        salt, hashed, rounds = secret["salt"].rstrip("="), secret["value"], data["hashIterations"]
        if data["algorithm"] == "argon2":
            more = {name: values[0] for name, values in data["additionalParameters"].items()}
            costs = f"m={more['memory']},t={rounds},p={more['parallelism']}"
            return f"$argon2{more['type']}$v={16 if more['version'] == '1.0' else 19}${costs}${salt}${hashed}"
    except (KeyError, TypeError, AttributeError, IndexError, ValueError):
        return credential
    # PBKDF2 without another digest is that of SHA-1.
    name, _, digest = data["algorithm"].partition("-")
    return f"${name}-{digest or 'sha1'}${rounds}${salt}${hashed}"
