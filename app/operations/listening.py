"""Listening: where `litestar run` will, unless somebody else does."""

import os
import socket
from contextlib import suppress
from errno import EADDRINUSE
from pathlib import Path

from click import ClickException


def address(
    *, host: str, port: int, uds: Path | None, fd: int | None, ssl_certificate: Path | None, **_options: object
) -> str:
    """Where the service will listen. Raises: ClickException."""
    if uds:
        _free(uds)
        return f"unix:{uds}"
    if fd is not None:
        with socket.socket(fileno=os.dup(fd)) as given:
            name = given.getsockname()
        if isinstance(name, str):
            return f"unix:{name}"
        host, port = name[:2]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if fd is None:
        try:
            # Granian would share the port with another service, and each would get some of the requests.
            socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
            raise ClickException(f"cannot listen on {place}: {reason}") from error
    return f"{'https' if ssl_certificate else 'http'}://{place}"


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
