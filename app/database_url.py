"""Database URL: every form that people paste, as the one form that asyncpg and SQLAlchemy take."""

from __future__ import annotations

import re
import ssl
from typing import Any

from msgspec import Struct, field
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_SCHEMES = ("postgresql+asyncpg", "postgresql", "postgres")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PASSED_ON = frozenset({"host", "port", "target_session_attrs", "passfile", "krbsrvname", "gsslib"})
_TRANSLATED = frozenset(
    {"ssl", "sslmode", "sslrootcert", "sslcert", "sslkey", "prepared_statement_cache_size"}
    | {"application_name", "connect_timeout"}
)
# user:password@ host1:port1,host2:port2 /database, the way libpq writes several hosts.
_SEVERAL_HOSTS = re.compile(r"^(?P<head>[^/]+://(?:[^@/]*@)?)(?P<hosts>[^/?]*,[^/?]*)(?P<tail>.*)$")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]]+)(:(?P<port>\d{1,5}))?")
_FORM = "is not a URL of the form postgresql+asyncpg://user:password@host:5432/database"


class DatabaseUrl(Struct, frozen=True, kw_only=True):
    """Where the database is. Its `repr` hides the password."""

    url: URL
    connect_args: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for `asyncpg.connect` that a URL cannot carry."""
    transaction_pooling: bool = False
    """Behind PgBouncer in transaction mode: no prepared statement and no session state survives a transaction."""

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.url.render_as_string(hide_password=True)!r})"

    __str__ = __repr__


def parse_database_url(text: str) -> DatabaseUrl:
    """Normalise a PostgreSQL URL. Raises: ValueError, whose text never holds the password."""
    text, hosts = _without_hosts(text.strip())
    url = _made(text)
    query = {key: value if isinstance(value, str) else tuple(value) for key, value in url.query.items()}
    if unknown := sorted(set(query) - _PASSED_ON - _TRANSLATED):
        raise ValueError(f"does not know the parameter {', '.join(unknown)}")
    single = {key: value for key, value in query.items() if isinstance(value, str)}
    for key in _TRANSLATED & set(query) - set(single):
        raise ValueError(f"names {key} twice")
    pooled, cache_args = _statement_caches(single.get("prepared_statement_cache_size"))
    return DatabaseUrl(
        url=url.set(drivername="postgresql+asyncpg", query={k: v for k, v in query.items() if k in _PASSED_ON}),
        connect_args={**hosts, **cache_args, **_tls(single), **_session(single)},
        transaction_pooling=pooled,
    )


def _without_hosts(text: str) -> tuple[str, dict[str, Any]]:
    """Take several hosts out of a URL, as SQLAlchemy reads but one. Raises: ValueError."""
    several = _SEVERAL_HOSTS.match(text)
    if several is None:
        return text, {}
    found = [_HOST.fullmatch(host) for host in several["hosts"].split(",")]
    hosts = [host["name"].strip("[]") for host in found if host]
    if len(hosts) < len(found):
        raise ValueError(_FORM)
    ports = [int(host["port"] or 5432) for host in found if host]
    return several["head"] + several["tail"], {"host": hosts, "port": ports}


def _made(text: str) -> URL:
    try:
        url = make_url(text)
        _ = url.port
    except (ArgumentError, ValueError):
        raise ValueError(_FORM) from None
    if url.drivername not in _SCHEMES:
        raise ValueError(f"must begin with {', '.join(scheme + '://' for scheme in _SCHEMES)}")
    return url


def _statement_caches(size: str | None) -> tuple[bool, dict[str, Any]]:
    if size is None:
        return False, {}
    if not size.isdecimal():
        raise ValueError("needs a whole number for prepared_statement_cache_size")
    if int(size):
        return False, {"prepared_statement_cache_size": int(size)}
    # Both caches at 0 and no name function: named statements would pile up on the pooler's connections.
    return True, {"prepared_statement_cache_size": 0, "statement_cache_size": 0}


def _tls(query: dict[str, str]) -> dict[str, Any]:
    mode = query.get("sslmode", query.get("ssl"))
    if mode is None:
        return {}
    if mode == "true":
        mode = "require"
    if mode not in _SSL_MODES:
        raise ValueError(f"knows ssl={', '.join(_SSL_MODES)}")
    if not mode.startswith("verify") and "sslcert" not in query:
        return {"ssl": mode}
    root = query.get("sslrootcert")
    try:
        context = ssl.create_default_context(cafile=None if root in (None, "system") else root)
        if "sslcert" in query:
            context.load_cert_chain(query["sslcert"], query.get("sslkey"))
    except (OSError, ssl.SSLError):
        raise ValueError("names a certificate file that cannot be read") from None
    context.check_hostname = mode == "verify-full"
    if not mode.startswith("verify"):
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


def _session(query: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if name := query.get("application_name"):
        found["server_settings"] = {"application_name": name}
    if (seconds := query.get("connect_timeout")) is not None:
        if not seconds.isdecimal() or not int(seconds):
            raise ValueError("needs a whole number of seconds for connect_timeout")
        found["timeout"] = int(seconds)
    return found
