"""Database parameters: what stands behind a URL's question mark, by libpq's names and rules."""

from __future__ import annotations

import re
from typing import Any

from app.settings.database_tls import FOR_TLS

_SESSIONS = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")
_TAKEN = FOR_TLS | {"host", "port", "dbname", "user", "password", "passfile", "krbsrvname", "gsslib", "options"}
_TAKEN |= {"ssl", "sslmode", "target_session_attrs", "application_name", "fallback_application_name"}
_TAKEN |= {"connect_timeout", "prepared_statement_cache_size", "channel_binding", "gssencmode", "client_encoding"}
IGNORED = frozenset(
    {"channel_binding", "gssencmode", "client_encoding", "sslcompression", "sslsni", "gssdelegation"}
    | {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
"""What changes nothing that matters: the pool notices dead connections, and text is always UTF-8."""
_INSTEAD = {
    "pgbouncer": "write prepared_statement_cache_size=0",
    "statement_cache_size": "write prepared_statement_cache_size=0",
    "schema": "write options=-csearch_path%3Dschema",
    "search_path": "write options=-csearch_path%3Dschema",
    "sslaccept": "write sslmode=verify-full",
    "hostaddr": "write the address as the host",
    "statement_timeout": "set DB_STATEMENT_TIMEOUT",
    "command_timeout": "set DB_STATEMENT_TIMEOUT",
    "connection_limit": "set DB_POOL_SIZE",
    "pool_size": "set DB_POOL_SIZE",
    "max_overflow": "set DB_MAX_OVERFLOW",
    "pool_timeout": "set DB_POOL_TIMEOUT",
    "pool_recycle": "set DB_POOL_RECYCLE",
}
_SETTING = re.compile(r"(?:-c\s*|--)(?P<name>[\w.-]+)=(?P<value>(?:\\.|\S)*)")


def known(query: dict[str, str]) -> dict[str, str]:
    """The parameters, if each can be honoured or does no harm. Raises: ValueError."""
    for name in sorted(_INSTEAD.keys() & query):
        raise ValueError(f"does not know the parameter {name}: {_INSTEAD[name]}")
    if unknown := sorted(query.keys() - _TAKEN - IGNORED):
        raise ValueError(f"does not know the parameter {', '.join(unknown)}")
    if query.get("target_session_attrs", "any") not in _SESSIONS:
        raise ValueError(f"knows target_session_attrs={', '.join(_SESSIONS)}")
    if query.get("channel_binding") == "require" and query.get("sslmode") != "verify-full":
        # Both tell a server from somebody in between.
        raise ValueError("cannot have channel_binding=require: write sslmode=verify-full")
    if query.get("gssencmode") == "require":
        raise ValueError("cannot have gssencmode=require: write sslmode=require")
    if query.get("client_encoding", "utf8").lower().replace("-", "") not in ("utf8", "auto", "unicode"):
        raise ValueError("knows client_encoding=utf8")
    return query


def statement_caches(size: str | None) -> tuple[bool, dict[str, Any]]:
    if size is None:
        return False, {}
    if not size.isdecimal():
        raise ValueError("needs a whole number for prepared_statement_cache_size")
    if int(size):
        return False, {"prepared_statement_cache_size": int(size)}
    # Both caches at 0 and no name function: named statements would pile up on the pooler's connections.
    return True, {"prepared_statement_cache_size": 0, "statement_cache_size": 0}


def session(given: dict[str, str]) -> dict[str, Any]:
    """What a session begins with, and how long that may take. Raises: ValueError."""
    found: dict[str, Any] = {}
    settings = _options(given.get("options", ""))
    if name := given.get("application_name") or given.get("fallback_application_name"):
        settings["application_name"] = name
    if settings:
        found["server_settings"] = settings
    if (seconds := given.get("connect_timeout")) is not None:
        if not seconds.isdecimal() or not int(seconds):
            raise ValueError("needs a whole number of seconds for connect_timeout")
        found["timeout"] = int(seconds)
    return found


def _options(text: str) -> dict[str, str]:
    """Settings of a session by their names, so that each stands once; what else there is, as it came."""
    found = {each["name"].replace("-", "_"): re.sub(r"\\(.)", r"\1", each["value"]) for each in _SETTING.finditer(text)}
    if "statement_timeout" in found:
        raise ValueError("cannot have statement_timeout in options: set DB_STATEMENT_TIMEOUT")
    if rest := _SETTING.sub("", text).strip():
        found["options"] = rest
    return found
