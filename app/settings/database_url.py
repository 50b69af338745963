"""Database URL: every form that people paste, read as libpq reads it, as what asyncpg and SQLAlchemy take."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import quote, unquote

from msgspec import Struct, field
from sqlalchemy import URL

from app.settings.database_parameters import IGNORED, known, session, statement_caches
from app.settings.database_tls import judged, tls

_SCHEMES = ("postgresql+asyncpg", "postgresql", "postgres")
_PATHS = {"passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl"}
_PASSED_THROUGH = ("target_session_attrs", "passfile", "krbsrvname", "gsslib")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+(?:%\w+)?\]|/.*|[^\s:\[\]/@]*)(?::(?P<port>\d*))?", re.ASCII)
_EXPECTED_FORM = "is not a URL of the form postgresql+asyncpg://user:password@host:5432/database"


class DatabaseUrl(Struct, frozen=True, kw_only=True):
    """Where the database is. Its `repr` hides the password."""

    url: URL
    connect_args: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments for `asyncpg.connect` that a URL cannot carry."""
    transaction_pooling: bool = False
    """Behind PgBouncer in transaction mode: no prepared statement and no session state survives a transaction."""
    ignored: tuple[str, ...] = ()
    """Parameters that do no harm and nothing else."""

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.url.render_as_string(hide_password=True)!r})"

    __str__ = __repr__


def parse_database_url(text: str) -> DatabaseUrl:
    """Read a PostgreSQL URL. Raises: ValueError, whose text never holds a password."""
    place, query = _split(text.strip())
    given = {**place, **known(query)}  # What stands in the query wins, as it does for libpq.
    given |= {name: os.path.expanduser(given[name]) for name in _PATHS & given.keys()}
    given["host"] = quote(query["host"], safe="/:[],") if "host" in query else place["host"]
    pooled, caches = statement_caches(given.get("prepared_statement_cache_size"))
    url, several = _located(given)
    arguments = {**several, **caches, **tls(given), **session(given)}
    judged(url, arguments)
    ignored = tuple(sorted(IGNORED & set(query)))
    return DatabaseUrl(url=url, connect_args=arguments, transaction_pooling=pooled, ignored=ignored)


def _split(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """What stands before the question mark, and what behind it. Raises: ValueError."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise ValueError(_EXPECTED_FORM)
    if scheme not in _SCHEMES:
        raise ValueError(f"must begin with {', '.join(scheme + '://' for scheme in _SCHEMES)}")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    if "@" in path or ("@" not in authority and "@" in query.partition("=")[0]):
        raise ValueError(f"{_EXPECTED_FORM}, where a password has %2F for / and %3F for ?")
    login, _, hosts = authority.rpartition("@")
    user, _, password = login.partition(":")
    place = {"user": user, "password": password, "dbname": path}
    return {"host": hosts, **{key: _decoded(value) for key, value in place.items() if value}}, _pairs(query)


def _pairs(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, equals, value = (_decoded(part) for part in pair.partition("="))
        if not name or not equals:
            raise ValueError(f"{_EXPECTED_FORM}?name=value&name=value")
        if name in found and name != "host":
            raise ValueError(f"names {name} twice")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _decoded(text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        decoded = "\0"
    if "\0" in decoded:
        raise ValueError(f"{_EXPECTED_FORM}, with text in UTF-8")
    return decoded


def _located(given: dict[str, str]) -> tuple[URL, dict[str, Any]]:
    """The URL of one host, and several hosts as arguments, since SQLAlchemy reads but one. Raises: ValueError."""
    found = [_HOST.fullmatch(host) for host in given["host"].split(",")]
    hosts = [_decoded(host["name"].strip("[]")) for host in found if host]
    if len(hosts) < len(found) or (len(hosts) > 1 and not all(hosts)):
        raise ValueError(_EXPECTED_FORM)
    ports = given.get("port", "").split(",")
    if len(ports) not in (1, len(hosts)):
        raise ValueError(f"names {len(ports)} ports for {len(hosts)} hosts")
    own = [host["port"] for host in found if host]
    numbers = [_port(mine or other) for mine, other in zip(own, ports * len(own), strict=False)]
    url = URL.create(
        "postgresql+asyncpg",
        username=given.get("user"),
        password=given.get("password"),
        database=given.get("dbname"),
        query={name: given[name] for name in _PASSED_THROUGH if name in given},
    )
    if len(hosts) > 1:
        return url, {"host": hosts, "port": [number or 5432 for number in numbers]}
    if hosts[0].startswith("/"):
        return url.update_query_dict({"host": hosts[0], **({"port": str(numbers[0])} if numbers[0] else {})}), {}
    return url.set(host=hosts[0] or None, port=numbers[0]), {}


def _port(text: str) -> int | None:
    if text and not (text.isascii() and text.isdecimal() and 0 < int(text) < 65_536):
        raise ValueError("needs a port between 1 and 65535")
    return int(text) if text else None
