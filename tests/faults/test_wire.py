"""Wire: what no client library would send, straight into the socket of a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.faults.postgres import PrivatePostgres, servers_from
from tests.faults.services import ADA, BULKS, Service, service

_MEGABYTE = 1024 * 1024
_SIZE = 16 * _MEGABYTE


@pytest.fixture(scope="module")
async def server(template: Path) -> AsyncIterator[PrivatePostgres]:
    with servers_from(template) as make:
        server = make()
        await server.start()
        yield server


@pytest.fixture(scope="module")
async def running(server: PrivatePostgres) -> AsyncIterator[Service]:
    async with service(server.text, LOG_LEVEL="error") as running:
        yield running


async def exchange(running: Service, *pieces: bytes) -> tuple[int, bytes]:
    """The status and the body that the server gives for these bytes; 0 where it just hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)

    async def send() -> None:
        with suppress(OSError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()

    sending = asyncio.create_task(send())
    try:
        return await read_answer(reader)
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0, b""
    finally:
        sending.cancel()
        writer.transport.abort()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].split(b"\r\n")[0]
        return int(head.split()[1]), await reader.readexactly(int(length or 0))


def head(*lines: str, host: str = "127.0.0.1") -> bytes:
    return "\r\n".join([*lines, f"Host: {host}", "", ""]).encode("latin-1")


def pieces_of(content: bytes, *, chunked: bool) -> Iterator[bytes]:
    piece = content * (_MEGABYTE // len(content))
    for _ in range(_SIZE // len(piece)):
        yield b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
    yield b"0\r\n\r\n" if chunked else b""


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_body_is_refused_and_not_kept(running: Service, chunked: bool) -> None:
    workers = psutil.Process(running.process.pid).children(recursive=True)
    before = sum(worker.memory_info().rss for worker in workers)
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {_SIZE}"
    largest = before
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal largest
        while not done.is_set():
            largest = max(largest, sum(worker.memory_info().rss for worker in workers))
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    start = head("POST /users HTTP/1.1", "Content-Type: application/json", length)
    answers = await asyncio.gather(*(exchange(running, start, *pieces_of(b"[", chunked=chunked)) for _ in range(6)))
    done.set()
    await watching

    print(f"chunked {chunked}: six bodies of 16 MiB cost {(largest - before) / _MEGABYTE:.1f} MiB")
    for status, body in answers:
        assert (status, json.loads(body)["code"]) == (413, "body_too_large")
    assert largest - before < 24 * _MEGABYTE


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        (head("GET /users HTTP/1.1", "X-Big: " + "x" * 300_000), 200, None),
        (head("GET /users HTTP/1.1", "X-Big: " + "x" * 1_000_000), 431, None),
        (head("GET /users HTTP/1.1", *(f"X-{n}: {n}" for n in range(1_000))), 431, None),
        (b"GET /users HTTP/1.1\r\n\r\n", 403, "forbidden"),
        (head("GET /users HTTP/1.1", "Host: example.com"), 400, "malformed_request"),
        (head("GET /users HTTP/1.1", "Host: 127.0.0.1", host="example.com"), 400, "malformed_request"),
        (head("GET /users HTTP/1.1", host="example.com"), 403, "forbidden"),
        (head("GET /users HTTP/1.1", host=""), 403, "forbidden"),
        (head("GET /users HTTP/1.1", "Content-Length: -1"), 400, None),
        (head("POST /users HTTP/1.1", "Content-Length: 5", "Content-Length: 6"), 400, None),
        (head("POST /users HTTP/1.1", "Transfer-Encoding: nonsense"), 400, None),
        (
            head("POST /users HTTP/1.1", "Transfer-Encoding: chunked", "Content-Type: application/json") + b"zz\r\n",
            400,
            "malformed_request",
        ),
        (head("GET /users HTTP/1.1", "If-None-Match: \xff\xfe", "X-Request-Id: \xff", "Accept: \xff"), 200, None),
        (head("GET /users/1 HTTP/1.1", "If-Match: \x01"), 400, None),
        (head("GET /users HTTP/9.9"), 400, None),
        (head("GET http://example.com/users HTTP/1.1"), 200, None),
        (head("OPTIONS * HTTP/1.1"), 404, "not_found"),
        (head("GET /\xff\xfe HTTP/1.1"), 400, None),
        (head("GET /users?name=\xff HTTP/1.1"), 400, None),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, None),
        (b"nonsense\r\n\r\n", 400, None),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, None),
    ],
    ids=range(22),
)
async def test_odd_requests_are_refused_and_the_next_is_served(
    running: Service, given: bytes, status: int, code: str | None
) -> None:
    """Without a code it is the server that refuses, before there is a request, and says nothing more."""
    answered, body = await exchange(running, given)
    after = await exchange(running, head("GET /health/live HTTP/1.1"))

    assert answered == status, body
    assert (json.loads(body).get("code") if body else None) == code
    assert after[0] == 200


async def test_no_failure_costs_the_connection_it_came_on(running: Service, server: PrivatePostgres) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)

    async def ask(line: str, content: bytes = b"", content_type: str = "application/json") -> int:
        writer.write(head(line, f"Content-Type: {content_type}", f"Content-Length: {len(content)}") + content)
        return (await read_answer(reader))[0]

    bad = [b"", b"{", b"\xff", b"[" * 1_000_000, b"{}"]
    refused = [await ask("POST /users HTTP/1.1", content) for content in bad]
    refused += [await ask("POST /users HTTP/1.1", json.dumps(ADA).encode(), "text/plain")]
    refused += [await ask(f"{request} HTTP/1.1") for request in ("GET /users/0", "PUT /users", "GET /users?page=0")]
    server.kill()
    down = [await ask("GET /users HTTP/1.1"), await ask("PATCH /users/1 HTTP/1.1", b'{"name": "Eve"}')]
    await server.start()
    back = await ask("GET /users HTTP/1.1")
    writer.close()

    assert refused == [400, 400, 400, 413, 422, 415, 404, 405, 422]
    assert (down, back) == ([503, 503], 200)


@pytest.mark.parametrize(
    ("line", "length", "status"),
    [
        ("POST /users HTTP/1.1", 9 * _MEGABYTE, 413),
        ("POST /nowhere HTTP/1.1", 9 * _MEGABYTE, 404),
        ("PUT /users HTTP/1.1", 10, 405),
        ("POST //users HTTP/1.1", 10, 404),
        ("DELETE /users/999 HTTP/1.1", 9 * _MEGABYTE, 404),
    ],
)
async def test_who_asks_before_a_body_is_sent_is_answered_at_once(
    running: Service, line: str, length: int, status: int
) -> None:
    asked = head(line, "Content-Type: application/json", f"Content-Length: {length}", "Expect: 100-continue")

    async with asyncio.timeout(3):
        assert (await exchange(running, asked))[0] == status


@pytest.mark.parametrize("path", ["/users", *BULKS])
@pytest.mark.parametrize("header", ["Content-Type: text/plain", "Content-Encoding: gzip"])
async def test_a_body_that_cannot_be_read_is_not_asked_for(running: Service, path: str, header: str) -> None:
    asked = head(f"POST {path} HTTP/1.1", header, "Content-Length: 10", "Expect: 100-continue")

    async with asyncio.timeout(3):
        assert (await exchange(running, asked))[0] == 415


async def test_a_body_that_is_wanted_is_asked_for(running: Service) -> None:
    content = json.dumps({**ADA, "email": "expected@example.com"}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    length = f"Content-Length: {len(content)}"
    writer.write(head("POST /users HTTP/1.1", "Content-Type: application/json", length, "Expect: 100-continue"))

    asked = (await read_answer(reader))[0]
    writer.write(content)
    stored = (await read_answer(reader))[0]
    writer.close()

    assert (asked, stored) == (100, 201)


async def test_a_query_may_hold_utf_8_as_it_is(running: Service) -> None:
    content = json.dumps({**ADA, "name": "José", "email": "jose@example.com"}).encode()
    length = f"Content-Length: {len(content)}"
    await exchange(running, head("POST /users HTTP/1.1", "Content-Type: application/json", length), content)

    found = await exchange(running, head("GET /users?name=Jos\xc3\xa9 HTTP/1.1"))
    latin = await exchange(running, head("GET /users?name=Jos\xe9 HTTP/1.1"))

    assert [user["name"] for user in json.loads(found[1])["items"]] == ["José"]
    assert latin[0] == 400
