"""Listening: where `litestar run` will, unless somebody else does."""

import os
import socket
from contextlib import suppress
from errno import EADDRINUSE
from pathlib import Path

from click import BadParameter, ClickException


def numeric(host: str) -> str:
    """A host as Granian wants it, which knows no names. Raises: BadParameter."""
    try:
        # The smallest is one of IPv4, where there is one.
        return str(min(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))[4][0])
    except (OSError, UnicodeError) as error:
        raise BadParameter(f"cannot listen on {host}: {getattr(error, 'strerror', error)}") from error


def address(*, host: str, port: int, uds: Path | None, fd: int | None, secure: bool) -> str:
    """Where the service will listen. Raises: ClickException."""
    if uds:
        _free(uds)
        return f"unix:{uds}"
    if fd is not None:
        try:
            with socket.socket(fileno=os.dup(fd)) as given:
                name = given.getsockname()
        except OSError as error:
            raise ClickException(f"cannot listen on file descriptor {fd}: {error.strerror}") from error
        if isinstance(name, str):
            return f"unix:{name}"
        host, port = name[:2]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if fd is None:
        try:
            # Granian would share the port with another service, and each would get some of the requests.
            socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except OSError as error:
            # Python repeats the address behind the reason.
            reason = str(error.strerror).partition(" (while ")[0]
            raise ClickException(f"cannot listen on {place}: {reason}") from error
    return f"{'https' if secure else 'http'}://{place}"


def is_secure(
    *, ssl_certificate: Path | None, ssl_keyfile: Path | None, ssl_ca: Path | None, ssl_client_verify: bool, **_: object
) -> bool:
    """Whether clients are to speak TLS, all of whose options have effect. Raises: ClickException."""
    if bool(ssl_certificate) != bool(ssl_keyfile):
        raise ClickException("--ssl-certificate and --ssl-keyfile belong together")
    if (ssl_ca or ssl_client_verify) and not (ssl_certificate and ssl_ca and ssl_client_verify):
        raise ClickException("--ssl-client-verify takes --ssl-ca, --ssl-certificate and --ssl-keyfile")
    return ssl_certificate is not None


def _free(path: Path) -> None:
    """Remove a socket that nobody listens to, as a crash leaves one. Raises: ClickException."""
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(1)
            with suppress(FileNotFoundError, ConnectionRefusedError):
                asked.connect(str(path))
                raise OSError(EADDRINUSE, os.strerror(EADDRINUSE))
        if path.is_socket():
            path.unlink()
        with socket.socket(socket.AF_UNIX) as tried:
            tried.bind(str(path))
        path.unlink()
    except OSError as error:
        raise ClickException(f"cannot listen on unix:{path}: {error.strerror or error}") from error
