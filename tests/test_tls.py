"""TLS: a URL's parameters do what they do for libpq, or are refused by name."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from app.settings.database_url import parse_database_url
from tests.commands import LITESTAR, ROOT

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None and os.environ.get("CI") != "true", reason="openssl makes the certificates"
)
Server = Callable[[bool], tuple[int, "Future[bytes]"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two certificates that sign themselves, `own` and `other`."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("own", "other"):
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        names = ["-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
        subprocess.run([*request, *names, *files], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def serve(folder: Path) -> Iterator[Server]:
    """A server that knows only how a session begins: what it is sent behind the request for TLS."""
    with ThreadPoolExecutor() as threads, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def start(with_tls: bool) -> tuple[int, Future[bytes]]:
            return listener.getsockname()[1], threads.submit(_answer, listener, folder if with_tls else None)

        yield start


def _answer(listener: socket.socket, folder: Path | None) -> bytes:
    with listener.accept()[0] as client:
        client.settimeout(60)
        assert client.recv(8)[4:] == bytes.fromhex("04d2162f")
        client.sendall(b"S" if folder else b"N")
        if folder is None:
            return client.recv(1024)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "own.crt", folder / "own.key")
        try:
            with context.wrap_socket(client, server_side=True) as wrapped:
                return wrapped.recv(1024)
        except ssl.SSLError as error:
            return str(error.reason).encode()


def run(folder: Path, port: int, parameters: str) -> str:
    """What a command says that connects with these parameters."""
    url = f"postgresql://ann:s3cret@127.0.0.1:{port}/x?connect_timeout=30&{parameters}".replace("=FOLDER", f"={folder}")
    done = subprocess.run(
        [*LITESTAR, "database", "show-current-revision"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("parameters", "accepted"),
    [
        ("sslmode=require", True),
        ("sslmode=require&sslrootcert=FOLDER/own.crt", True),
        ("sslmode=require&sslrootcert=FOLDER/other.crt", False),
        ("ssl=require&sslrootcert=FOLDER/other.crt", False),
        ("sslmode=verify-full&sslrootcert=FOLDER/own.crt", True),
        ("sslmode=verify-full", False),
        ("sslrootcert=system", False),
        ("sslcert=FOLDER/other.crt&sslkey=FOLDER/other.key", True),
    ],
)
def test_a_root_certificate_verifies_the_chain(folder: Path, serve: Server, parameters: str, accepted: bool) -> None:
    port, told = serve(True)

    said = run(folder, port, parameters)

    assert (b"ann" in told.result()) is accepted
    assert ("certificate verify failed" in said) is not accepted


def test_a_certificate_does_not_demand_tls(folder: Path, serve: Server) -> None:
    port, told = serve(False)

    run(folder, port, "sslmode=prefer&sslcert=FOLDER/own.crt&sslkey=FOLDER/own.key")

    assert b"ann" in told.result()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ("sslrootcert=FOLDER/own.crt", "cannot have sslrootcert with sslmode=prefer: write sslmode=verify-full"),
        ("sslmode=allow&sslcrl=/x", "cannot have sslcrl with sslmode=allow: write sslmode=verify-full"),
        ("sslmode=disable&sslcert=FOLDER/own.crt", "cannot have sslcert with sslmode=disable"),
        ("sslmode=require&sslkey=FOLDER/own.key", "cannot have sslkey without sslcert"),
        (
            "sslmode=require&sslrootcert=system",
            "cannot have sslrootcert=system with sslmode=require: write sslmode=verify-full",
        ),
        ("ssl=disable&sslmode=verify-full", "names ssl and sslmode"),
        ("sslcert=/nowhere", "names a certificate file that cannot be read"),
        (
            "sslcert=FOLDER/own.crt&sslkey=FOLDER/other.key&sslmode=require",
            "names a certificate file that cannot be read",
        ),
        (
            "channel_binding=require&sslmode=require",
            "cannot have channel_binding=require: write sslmode=verify-full",
        ),
        ("gssencmode=require", "cannot have gssencmode=require: write sslmode=require"),
    ],
)
def test_what_cannot_be_combined_is_refused_by_name(folder: Path, parameters: str, reason: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  # compared whole below
        parse_database_url(f"postgresql://db/x?{parameters}".replace("=FOLDER", f"={folder}"))

    assert str(refused.value) == reason
