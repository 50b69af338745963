"""Database parameters: what stands behind a URL's question mark, by libpq's names and rules."""

from __future__ import annotations

import os
import re
import ssl
from typing import Any
from urllib.parse import quote, urlencode

from asyncpg.connect_utils import _parse_connect_dsn_and_args as read_by_driver  # type: ignore[attr-defined]
from sqlalchemy import URL

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSIONS = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")
_FOR_CHAIN = {"sslrootcert", "sslcrl"}
_FOR_CERTIFICATE = {"sslkey", "sslpassword"}
_FOR_TLS = _FOR_CHAIN | _FOR_CERTIFICATE | {"sslcert", "sslnegotiation"}
_FOR_TLS |= {"ssl_min_protocol_version", "ssl_max_protocol_version"}
_TAKEN = _FOR_TLS | {"host", "port", "dbname", "user", "password", "passfile", "krbsrvname", "gsslib", "options"}
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


def tls(given: dict[str, str]) -> dict[str, Any]:
    """What the driver does by libpq's rules; it knows no `sslrootcert=system`. Raises: ValueError."""
    root, files = given.get("sslrootcert"), {name: given[name] for name in sorted(_FOR_TLS & given.keys())}
    mode = _mode(given)
    effective = mode or os.environ.get("PGSSLMODE") or ("verify-full" if root == "system" else "prefer")
    if effective in SSL_MODES[:3] and (useless := sorted(_FOR_CHAIN & given.keys())):
        raise ValueError(f"cannot have {useless[0]} with sslmode={effective}: write sslmode=verify-full")
    if effective == "disable" and files:
        raise ValueError(f"cannot have {min(files)} with sslmode=disable")
    if (useless := sorted(_FOR_CERTIFICATE & given.keys())) and "sslcert" not in given:
        raise ValueError(f"cannot have {useless[0]} without sslcert")
    if root == "system" and effective != "verify-full":
        raise ValueError(f"cannot have sslrootcert=system with sslmode={effective}: write sslmode=verify-full")
    if root == "system" or (effective.startswith("verify") and not root and not _has_root()):
        return {"ssl": _of_this_machine(files, effective == "verify-full")}
    found: dict[str, Any] = {"ssl": mode} if mode else {}
    return {**found, "dsn": _dsn(files)} if files else found


def _mode(given: dict[str, str]) -> str | None:
    if "ssl" in given and "sslmode" in given:
        raise ValueError("names ssl and sslmode")
    mode = given.get("sslmode", given.get("ssl"))
    if mode == "true":
        return "require"
    if mode is not None and mode not in SSL_MODES:
        raise ValueError(f"knows ssl={', '.join(SSL_MODES)}")
    return mode


def _has_root() -> bool:
    return bool(os.environ.get("PGSSLROOTCERT")) or os.path.exists(os.path.expanduser("~/.postgresql/root.crt"))


def _dsn(files: dict[str, str]) -> str:
    return "postgresql://?" + urlencode(files, quote_via=quote)


def _of_this_machine(files: dict[str, str], names: bool) -> ssl.SSLContext:
    """Trust whom this machine trusts."""
    if refused := sorted({"sslcrl", "sslnegotiation"} & files.keys()):
        raise ValueError(f"cannot have {refused[0]} without a file as sslrootcert")
    files.pop("sslrootcert", None)
    found = _read(dsn=_dsn(files) if files else None, ssl="prefer")
    context: ssl.SSLContext = found.ssl
    context.load_default_certs()
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = names
    return context


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


def judged(url: URL, arguments: dict[str, Any]) -> None:
    """Have the driver read all that it will read to connect. Raises: ValueError."""
    if (passfile := url.query.get("passfile")) and not os.access(str(passfile), os.R_OK):
        raise ValueError("names a passfile that cannot be read")
    _read(
        dsn=arguments.get("dsn"),
        ssl=arguments.get("ssl"),
        host=arguments.get("host", url.query.get("host", url.host)),
        port=arguments.get("port", url.port),
        gsslib=url.query.get("gsslib"),
    )


def _read(**how: Any) -> Any:
    """Raises: ValueError."""
    given = {"user": "", "password": "", "database": "", "passfile": None, "direct_tls": None}
    unused = dict.fromkeys(("host", "port", "server_settings", "target_session_attrs", "krbsrvname", "gsslib"))
    try:
        _, found = read_by_driver(**{**given, **unused, "service": None, "servicefile": None, **how})
    except (OSError, ssl.SSLError) as error:
        if how.get("dsn"):
            raise ValueError("names a certificate file that cannot be read") from None
        raise ValueError(f"cannot read the files of ~/.postgresql: {error.strerror}") from None
    return found
