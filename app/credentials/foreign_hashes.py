"""Foreign hashes: kinds of hashes of passwords that can be checked, each at a cost that a sign-in can bear."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable

import bcrypt
from argon2.exceptions import VerificationError
from argon2.low_level import Type, verify_secret

Match = re.Match[str]
_same = hmac.compare_digest

MOST_KIB, _MOST_ROUNDS = 102_400, 2_000_000
"""Memory and rounds that one check may take: Django's Argon2 takes 100 MiB, its PBKDF2 1.2 million rounds."""
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BCRYPT = r"(?P<hash>\$2[aby]\$(?:0[4-9]|1[0-3])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26])"
# What the library reads: no leading zeros, no bits after the last byte.
_EXACT = r"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/][AQgw]|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048])?"
_BASE64 = r"(?P<hash>[A-Za-z0-9+/.]{16,}={0,2})"
_HEX = r"(?P<hex>(?:[0-9a-f]{2}){16,64})"
_SALT, _SALT64 = r"(?P<salt>[^$]+)", r"(?P<salt64>[A-Za-z0-9+/.]+={0,2})"
_ROUNDS = r"(?P<rounds>[1-9]\d{0,6})"
_N, _R, _LANES = r"(?P<n>\d{1,7})", r"(?P<r>\d{1,2})", r"(?P<lanes>\d{1,2})"
_SHA = r"(?P<digest>sha1|sha256|sha512)"


def _argon2(found: Match, password: bytes) -> bool:
    return verify_secret(found[0].encode(), password, {"id": Type.ID, "i": Type.I, "d": Type.D}[found["type"]])


def _bcrypt(found: Match, password: bytes) -> bool:
    # Those who made the hash never saw more than 72 bytes; the library no longer cuts them off itself.
    return bcrypt.checkpw(password[:72], found["hash"].encode())


def _bcrypt_of_sha256(found: Match, password: bytes) -> bool:
    return _bcrypt(found, hashlib.sha256(password).hexdigest().encode())


def _wordpress(found: Match, password: bytes) -> bool:
    # PHP's trim.
    return _bcrypt(found, b64encode(hmac.digest(b"wp-sha384", password.strip(b" \t\n\r\0\x0b"), "sha384")))


def _phpass(found: Match, password: bytes) -> bool:
    digest = "sha512" if found["mark"] == "S" else "md5"
    made = hashlib.new(digest, found["salt"].encode() + password).digest()
    for _ in range(1 << _ALPHABET.index(found["power"])):
        made = hashlib.new(digest, made + password).digest()
    number = int.from_bytes(made, "little")
    text = "".join(_ALPHABET[number >> place & 63] for place in range(0, len(made) * 8, 6))
    return _same(text[: len(found["hash"])], found["hash"])


def _pbkdf2(found: Match, password: bytes) -> bool:
    salt, expected = _salt_and_hash(found)
    return _same(hashlib.pbkdf2_hmac(found["digest"], password, salt, int(found["rounds"]), len(expected)), expected)


def _scrypt(found: Match, password: bytes) -> bool:
    salt, expected = _salt_and_hash(found)
    n, r, p = _scrypt_cost(found.groupdict())
    return _same(hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=2**28, dklen=len(expected)), expected)


def _scrypt_cost(given: dict[str, str]) -> tuple[int, int, int]:
    n = 1 << int(given["ln"]) if "ln" in given else int(given["n"])
    return n, int(given["r"]), int(given["lanes"])


def _salt_and_hash(found: Match) -> tuple[bytes, bytes]:
    given = found.groupdict()
    salt = _decoded(given["salt64"]) if "salt64" in given else given["salt"].encode()
    return salt, bytes.fromhex(given["hex"]) if "hex" in given else _decoded(given["hash"])


def _decoded(text: str) -> bytes:
    """Base64, with or without its padding, and with passlib's dots."""
    text = text.replace(".", "+").rstrip("=")
    return b64decode(text + "=" * (-len(text) % 4))


def _aspnet(found: Match, password: bytes) -> bool:
    digest, rounds, salt, expected = _aspnet_parts(found["aspnet"])
    name = ("sha1", "sha256", "sha512")[digest]
    return _same(hashlib.pbkdf2_hmac(name, password, salt, rounds, len(expected)), expected)


def _aspnet_parts(text: str) -> tuple[int, int, bytes, bytes]:
    raw = _decoded(text)
    digest, rounds, size = (int.from_bytes(raw[place : place + 4], "big") for place in (1, 5, 9))
    return digest, rounds, raw[13 : 13 + size], raw[13 + size :]


def _ssha(found: Match, password: bytes) -> bool:
    raw, digest = _decoded(found["hash"]), f"sha{found['bits'] or 1}"
    size = hashlib.new(digest).digest_size
    return _same(hashlib.new(digest, password + raw[size:]).digest(), raw[:size])


_KINDS: dict[str, tuple[str, Callable[[Match, bytes], bool]]] = {
    "argon2": (
        r"\$argon2(?P<type>id|i|d)(?:\$v=(?:19|16))?\$m=(?P<m>[1-9]\d{0,7}),t=(?P<t>[1-9]\d?),p=(?P<p>[1-9]\d?)"
        rf"\$(?=[^$]{{11,86}}\$){_EXACT}\$(?=.{{16,86}}\Z){_EXACT}",
        _argon2,
    ),
    "bcrypt": (_BCRYPT, _bcrypt),
    "Django bcrypt_sha256": (rf"bcrypt_sha256\${_BCRYPT}", _bcrypt_of_sha256),
    "WordPress bcrypt": (rf"\$wp{_BCRYPT}", _wordpress),
    "phpass": (r"\$(?P<mark>[PH])\$(?P<power>[5-9A-H])(?P<salt>.{8})(?P<hash>[./A-Za-z0-9]{22})", _phpass),
    "Drupal SHA-512": (r"\$(?P<mark>S)\$(?P<power>[5-9A-H])(?P<salt>.{8})(?P<hash>[./A-Za-z0-9]{43})", _phpass),
    "Django PBKDF2": (rf"pbkdf2_{_SHA}\${_ROUNDS}\${_SALT}\${_BASE64}", _pbkdf2),
    "Werkzeug PBKDF2": (rf"pbkdf2:{_SHA}:{_ROUNDS}\${_SALT}\${_HEX}", _pbkdf2),
    "PBKDF2": (rf"\$pbkdf2-{_SHA}\$(?:i=)?{_ROUNDS}(?:,l=\d{{1,3}})?\${_SALT64}\${_BASE64}", _pbkdf2),
    "Django scrypt": (rf"scrypt\${_N}\${_SALT}\${_R}\${_LANES}\${_BASE64}", _scrypt),
    "Werkzeug scrypt": (rf"scrypt:{_N}:{_R}:{_LANES}\${_SALT}\${_HEX}", _scrypt),
    "scrypt": (rf"\$scrypt\$ln=(?P<ln>\d{{1,2}}),r={_R},p={_LANES}\${_SALT64}\${_BASE64}", _scrypt),
    "ASP.NET PBKDF2": (r"(?P<aspnet>AQAA(?:[A-Za-z0-9+/]{4}){13,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)", _aspnet),
    "LDAP {SSHA}": (r"\{SSHA(?P<bits>256|512)?\}(?P<hash>[A-Za-z0-9+/]{30,}={0,2})", _ssha),
}
_PATTERNS = [(name, re.compile(pattern, re.ASCII).fullmatch, check) for name, (pattern, check) in _KINDS.items()]


def kind(hashed: str) -> str | None:
    """What made a hash, if `verify` can check it."""
    for name, match, _ in _PATTERNS:
        if found := match(hashed):
            return name if _is_affordable(found.groupdict()) else None
    return None


def verify(hashed: str, password: str) -> bool:
    """Whether `password` is the one that was hashed; False of what is no hash of these kinds."""
    for _, match, check in _PATTERNS:
        if found := match(hashed):
            try:
                return _is_affordable(found.groupdict()) and check(found, password.encode())
            except (VerificationError, ValueError):
                return False
    return False


def _is_affordable(given: dict[str, str]) -> bool:
    if "m" in given:
        memory, passes, lanes = int(given["m"]), int(given["t"]), int(given["p"])
        return 8 * lanes <= memory <= MOST_KIB and passes <= 16 and lanes <= 16 and memory * passes <= 2**20
    if "lanes" in given:
        n, r, lanes = _scrypt_cost(given)
        return 1 < n == n & -n and r > 0 and lanes > 0 and n * r // 8 <= MOST_KIB and n * r * lanes <= 2**22
    rounds = int(given.get("rounds", 1))
    if "aspnet" in given:
        digest, rounds, _, expected = _aspnet_parts(given["aspnet"])
        if digest > 2 or len(expected) < 16:
            return False
    return 0 < rounds <= _MOST_ROUNDS
