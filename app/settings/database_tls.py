"""Database TLS: a URL's parameters for it, by libpq's names and rules, and whatever else the driver reads itself."""

from __future__ import annotations

import os
import ssl
from typing import Any
from urllib.parse import quote, urlencode

from asyncpg.connect_utils import _parse_connect_dsn_and_args as read_by_driver  # type: ignore[attr-defined]
from sqlalchemy import URL

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FOR_CHAIN = {"sslrootcert", "sslcrl"}
_FOR_CERTIFICATE = {"sslkey", "sslpassword"}
FOR_TLS = _FOR_CHAIN | _FOR_CERTIFICATE | {"sslcert", "sslnegotiation"}
FOR_TLS |= {"ssl_min_protocol_version", "ssl_max_protocol_version"}


def tls(given: dict[str, str]) -> dict[str, Any]:
    """What the driver does by libpq's rules; it knows no `sslrootcert=system`. Raises: ValueError."""
    root, files = given.get("sslrootcert"), {name: given[name] for name in sorted(FOR_TLS & given.keys())}
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
