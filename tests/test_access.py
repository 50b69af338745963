"""Access: ACCESS=local serves this machine only, ACCESS=open everybody."""

from __future__ import annotations

from typing import Any, cast

import pytest
from litestar import Litestar

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.clients import client_of
from tests.problems import problem, problem_of

CLOSED = problem(
    403,
    "forbidden",
    "ACCESS=local serves this machine only; set ACCESS=token, or ACCESS=open behind a gateway that authenticates",
)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "localhost:", "127.255.0.9"]
    + ["localhost.", "api.localhost", "a.b.LocalHost.:8000", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"],
)
async def test_this_machine_may_call(app: Litestar, address: str, host: str) -> None:
    async with client_of(app, address=address) as client:
        answer = await client.get("/health/live", headers={"Host": host})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "address", ["10.0.0.7", "192.168.1.2", "8.8.8.8", "::ffff:10.0.0.7", "fe80::1", "2001:db8::1", "testclient", ""]
)
@pytest.mark.parametrize("path", ["/users", "/health/live", "/schema", "/nowhere"])
async def test_another_machine_may_not(app: Litestar, address: str, path: str) -> None:
    async with client_of(app, address=address) as client:
        answer = await client.get(path)

    assert problem_of(answer) == CLOSED


@pytest.mark.parametrize(
    "host",
    ["example.com", "localhost.example.com", "evil-localhost", "127.0.0.1.nip.io", "10.0.0.7", "0.0.0.0", ""]
    + ["127.999.999.999", "127.0.0.256", "[::2]", "[::1", "::1", "localhost@example.com", "localhost..", "localhost:0"],
)
async def test_a_page_from_elsewhere_may_not_call_under_its_own_name(app: Litestar, host: str) -> None:
    async with client_of(app) as client:
        answer = await client.get("/users", headers={"Host": host})

    assert problem_of(answer) == CLOSED


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-FORWARDED-PROTO", "X-Forwarded-Port", "X-Forwarded-Server"]
    + ["X-Forwarded-Prefix", "X-Real-Ip", "Via"],
)
async def test_nobody_may_call_through_a_proxy(app: Litestar, header: str) -> None:
    async with client_of(app) as client:
        answer = await client.get("/users", headers={header: "127.0.0.1"})

    assert problem_of(answer) == CLOSED


async def test_nothing_is_written_for_whoever_may_not_call(app: Litestar, database: DatabaseUrl) -> None:
    body = {"name": "Eve", "email": "eve@example.com", "password": "correct horse"}

    async with client_of(app, address="10.0.0.7") as elsewhere, client_of(app) as here:
        refused = await elsewhere.post("/users", json=body)
        found = await here.get("/users", params={"email": body["email"]})

    assert (refused.status_code, found.json()["total"]) == (403, 0)


async def test_open_serves_everybody(database: DatabaseUrl) -> None:
    app = create_app(Settings(database_url=database, access="open", log_format="json", log_level="warning"))
    headers = {"Host": "api.example.com", "X-Forwarded-For": "203.0.113.7"}

    async with client_of(app, address="10.0.0.7") as client:
        answer = await client.get("/health/live", headers=headers)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def ask(app: Litestar, version: str, headers: list[tuple[bytes, bytes]], **scope: Any) -> int:
    """The status of a request that no library would send."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    asked: dict[str, Any] = {
        "type": "http",
        "http_version": version,
        "method": "GET",
        "scheme": "http",
        "path": "/health/live",
    }
    asked |= {"raw_path": b"/health/live", "query_string": b"", "root_path": "", "headers": headers, "extensions": {}}
    await cast("Any", app)({**asked, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), **scope}, None, send)
    return int(messages[0]["status"])


@pytest.mark.parametrize(
    ("version", "headers", "status"),
    [
        ("1.1", [], 400),
        ("1.1", [(b"host", b"")], 400),
        ("1.1", [(b"host", b"api.example.com")], 200),
        ("1.0", [], 200),
        ("1.0", [(b"host", b"")], 200),
        ("2", [(b"host", b"api.example.com:443")], 200),
        ("1.1", [(b"host", b"a/b")], 400),
        ("1.1", [(b"host", b"::1")], 400),
        ("1.1", [(b"host", b"[2001:db8::1]:8000")], 200),
        ("1.1", [(b"host", b"my_service:8000")], 200),
    ],
)
async def test_open_wants_one_host_where_http_does(
    database: DatabaseUrl, version: str, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    app = create_app(Settings(database_url=database, access="open", log_format="json", log_level="warning"))

    assert await ask(app, version, headers) == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"host", b"localhost")], 200),
        ([(b"host", b"example.com")], 403),
        ([(b"host", b"localhost"), (b"x-forwarded-for", b"127.0.0.1")], 403),
    ],
)
async def test_a_unix_socket_is_on_this_machine(app: Litestar, headers: list[tuple[bytes, bytes]], status: int) -> None:
    granian = {"client": ("", "0"), "server": ("/run/users.sock", "0")}
    uvicorn = {"client": None, "server": ("/run/users.sock", None)}

    assert [await ask(app, "1.1", headers, **scope) for scope in (granian, uvicorn)] == [status] * 2
