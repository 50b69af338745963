"""Listening: where `litestar run` will, unless somebody else does."""

import os
import socket
from contextlib import suppress
from errno import EADDRINUSE
from pathlib import Path

from click import ClickException, get_current_context


def address() -> str:
    """Where the service will listen. Raises: ClickException."""
    options = get_current_context().params
    if uds := options.get("uds"):
        _free(Path(uds))
        return f"unix:{uds}"
    if options.get("fd") is not None:
        with socket.socket(fileno=os.dup(options["fd"])) as given:
            name = given.getsockname()
        if isinstance(name, str):
            return f"unix:{name}"
        host, port = name[:2]
    else:
        host, port = options["host"], options["port"]
    scheme = "https" if options.get("ssl_certificate") or options.get("create_self_signed_cert") else "http"
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if options.get("fd") is None:
        try:
            # Granian would share the port with another service, and each would get some of the requests.
            socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
            raise ClickException(f"cannot listen on {place}: {reason}") from error
    return f"{scheme}://{place}"


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
