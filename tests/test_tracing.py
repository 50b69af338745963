"""Tracing: each request is a span with its statements, and nothing of it is there where no endpoint is set."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any, cast

import httpx
import pytest
from anyio import to_thread
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app import create_app
from app.logs import configure_logs
from app.settings import Settings, SettingsError, load_settings
from app.settings.database_url import DatabaseUrl, parse_database_url
from tests.clients import client_of
from tests.commands import ROOT
from tests.databases import as_text
from tests.services import Service

COLLECTOR = "http://127.0.0.1:4318"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

Traced = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What would be sent, all of it once the application has ended."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(
        "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter", lambda _endpoint: exporter
    )
    return exporter


@pytest.fixture
def traced(client: httpx.AsyncClient, database: DatabaseUrl, exported: InMemorySpanExporter) -> Traced:
    @asynccontextmanager
    async def traced(address: str = "127.0.0.1", **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        given = {"database_url": database, "throttle": False, "log_format": "json", "log_level": "warning", **settings}
        app = create_app(Settings(otel_exporter_otlp_endpoint=COLLECTOR, **given))
        async with app.lifespan(), client_of(app, address=address) as client:
            yield client

    return traced


@pytest.fixture(autouse=True)
def _logs_of_other_tests() -> Iterator[None]:
    yield
    configure_logs(style="json", level="warning")


def requests_of(exported: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in exported.get_finished_spans() if span.kind is SpanKind.SERVER]


def statements_of(exported: InMemorySpanExporter, words: str = "") -> list[ReadableSpan]:
    found = [span for span in exported.get_finished_spans() if span.kind is SpanKind.CLIENT]
    return [span for span in found if words in str((span.attributes or {})["db.query.text"])]


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


async def test_every_answer_has_a_span(traced: Traced, exported: InMemorySpanExporter) -> None:
    asked = [
        ("GET", "/users/7", "GET /users/{user_id}", "/users/{user_id}", 404),
        ("HEAD", "/users?q=lovelace", "HEAD /users", "/users", 200),
        ("GET", "/users?page=0", "GET /users", "/users", 422),
        ("POST", "/users", "POST /users", "/users", 400),
        ("GET", "/nowhere", "GET", None, 404),
        ("BREW", "/users", "_OTHER", None, 405),
    ]
    async with traced() as client:
        for method, path, *_ in asked:
            await client.request(method, path, headers={"X-Request-Id": "mine"})

    for span, (_, path, name, route, status) in zip(requests_of(exported), asked, strict=True):
        about = {
            "http.request.method": name.split()[0],
            "http.response.status_code": status,
            "request_id": "mine",
            "url.path": path.partition("?")[0],
            "url.scheme": "http",
        }
        assert (span.name, span.status.status_code) == (name, StatusCode.UNSET)
        assert dict(span.attributes or {}) == about | ({"http.route": route} if route else {})


async def test_whoever_is_turned_away_has_a_span(traced: Traced, exported: InMemorySpanExporter) -> None:
    async with traced(address="10.0.0.7") as client:
        await client.get("/users")

    (span,) = requests_of(exported)
    assert (span.attributes or {})["http.response.status_code"] == 403


async def test_an_outage_is_an_error(traced: Traced, exported: InMemorySpanExporter) -> None:
    nowhere = parse_database_url("postgresql://ann:s3cret@127.0.0.1:1/x")
    async with traced(database_url=nowhere) as client:
        await client.get("/users/1")

    (span,) = requests_of(exported)
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["http.response.status_code"] == 503
    assert "s3cret" not in span.to_json()


async def test_a_time_out_is_an_error_and_so_is_its_statement(
    traced: Traced, exported: InMemorySpanExporter, engine: AsyncEngine
) -> None:
    body = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
    async with traced(db_statement_timeout=0.1) as client, engine.connect() as other:
        await other.execution_options(isolation_level="READ COMMITTED")
        await other.execute(text("LOCK TABLE users"))
        await client.post("/users", json=body)

    (request,) = requests_of(exported)
    (failed,) = [span for span in statements_of(exported) if span.status.status_code is StatusCode.ERROR]
    assert request.status.status_code is StatusCode.ERROR
    assert (request.attributes or {})["http.response.status_code"] == 503
    assert (failed.name, (failed.attributes or {})["db.response.status_code"]) == ("INSERT", "57014")


async def test_a_trace_that_the_client_began_goes_on(traced: Traced, exported: InMemorySpanExporter) -> None:
    async with traced() as client:
        await client.get("/users/7", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})

    (request,), (statement,) = requests_of(exported), statements_of(exported, "FROM users")
    assert request.context is not None
    assert statement.context is not None
    assert request.parent is not None
    assert (request.context.trace_id, request.parent.span_id) == (int(TRACE, 16), int(PARENT, 16))
    assert statement.parent is not None
    assert (statement.context.trace_id, statement.parent.span_id) == (int(TRACE, 16), id_of(request))


async def test_a_trace_that_nobody_can_read_is_not_taken_up(traced: Traced, exported: InMemorySpanExporter) -> None:
    headers = ["", "00-0-0-01", f"00-{'0' * 32}-{PARENT}-01", "\xff", f"00-{TRACE}-{PARENT}"]
    async with traced() as client:
        for header in headers:
            await client.get("/health/live", headers={b"traceparent": header.encode("latin-1")})

    assert [span.parent for span in requests_of(exported)] == [None] * len(headers)


async def test_a_statement_holds_no_value(traced: Traced, exported: InMemorySpanExporter) -> None:
    secrets = ["lovelace", "ada@", "correct horse", "$argon2", "lus_", "backend"]
    ada = {"name": "Ada Lovelace", "email": "ada@example.com", "password": "correct horse"}
    async with traced() as client:
        for _ in range(2):  # The second one is a conflict, whose reason PostgreSQL tells with the address.
            await client.post("/users", json=ada, headers={"Idempotency-Key": os.urandom(16).hex()})
        await client.post("/sessions", json={"email": "ada@example.com", "password": "correct horse"})
        await client.get("/users?email=ada@example.com&q=lovelace")
        await client.get("/users?q=backend&cursor=")
        await client.patch("/users/1", json={"name": "Ada King"})
        await client.delete("/users/1")

    told = " ".join(span.to_json() for span in exported.get_finished_spans())
    words = {span.name for span in statements_of(exported)}
    assert {"SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT;"} <= words
    assert "$1" in told
    assert [secret for secret in secrets if secret in told.lower()] == []


async def test_a_statement_shows_whom_it_served(traced: Traced, exported: InMemorySpanExporter) -> None:
    async with traced() as client:
        await asyncio.gather(*(client.get(f"/users/{number % 20}") for number in range(40)))

    requests, statements = requests_of(exported), statements_of(exported, "FROM users")
    served: list[int] = []
    by_id = {id_of(request): request for request in requests}
    for statement in statements:
        assert statement.parent is not None
        linked = [link.context.span_id for link in statement.links]
        assert not linked or linked[0] == statement.parent.span_id
        for request in linked:
            # And the other way round, as a trace is looked at from a request.
            assert id_of(statement) in {link.context.span_id for link in by_id[request].links}
        served += linked or [statement.parent.span_id]
    assert len(requests) == 40
    assert len(statements) < 20
    assert sorted(served) == sorted(by_id)


async def test_who_is_not_to_be_traced_hides_nobody_who_travels_along(
    traced: Traced, exported: InMemorySpanExporter
) -> None:
    unwanted = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    async with traced() as client:
        await asyncio.gather(client.get("/users/1", headers=unwanted), client.get("/users/2"))
        await client.get("/users/3", headers=unwanted)

    (request,), (statement,) = requests_of(exported), statements_of(exported, "FROM users")
    assert statement.parent is not None
    assert statement.parent.span_id == id_of(request)


async def test_what_is_run_for_no_request_has_no_span(traced: Traced, exported: InMemorySpanExporter) -> None:
    async with traced(access="token") as client:
        ada = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
        await client.post("/users", json=ada)
        token = (await client.post("/sessions", json={"email": ada["email"], "password": ada["password"]})).json()
        await client.get("/users/me", headers={"Authorization": f"Bearer {token['token']}"})

    requests = {id_of(request) for request in requests_of(exported)}
    assert {span.parent and span.parent.span_id for span in statements_of(exported)} <= requests


async def test_lines_of_the_log_name_the_trace(traced: Traced, capsys: pytest.CaptureFixture[str]) -> None:
    async with traced(log_level="info", log_requests=True) as client:
        await client.get("/health/live", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        await client.get("/health/live")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    first, second = [line for line in lines if line["event"] == "request"]
    assert first["trace_id"] == TRACE != second["trace_id"]
    assert len(first["span_id"]) == len(second["span_id"]) == 16


SHOW = """
import sys
from app import create_app

create_app()
# Litestar itself looks for the names of attributes, where they are installed.
parts = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.trace", "google.protobuf", "requests")
print([name for name in parts if name in sys.modules])
"""


def run_python(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": "postgresql://127.0.0.1:1/x", "LOG_FORMAT": "json", **settings}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)


def test_nothing_is_imported_where_no_endpoint_is_set() -> None:
    off, on = run_python(SHOW), run_python(SHOW, OTEL_EXPORTER_OTLP_ENDPOINT=COLLECTOR)

    assert (off.stdout, off.stderr) == ("[]\n", "")
    assert on.stdout.count("'") == 10


@pytest.mark.parametrize(
    ("before", "settings", "line"),
    [
        (
            "import sys; sys.modules['opentelemetry.sdk'] = None",
            {},
            "No traces: for OTEL_EXPORTER_OTLP_ENDPOINT install the extra: uv sync --extra otel",
        ),
        (
            "",
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "No traces: OTEL_EXPORTER_OTLP_PROTOCOL is grpc, but can only be http/protobuf",
        ),
        (
            "",
            {"OTEL_BSP_MAX_QUEUE_SIZE": "0"},
            "No traces: a variable OTEL_... is wrong: max_queue_size must be a positive integer.",
        ),
    ],
)
def test_what_keeps_traces_from_being_made_is_one_line(before: str, settings: dict[str, str], line: str) -> None:
    done = run_python(f"{before}\n{SHOW}", OTEL_EXPORTER_OTLP_ENDPOINT=COLLECTOR, **settings)

    (told,) = done.stderr.splitlines()
    assert (done.returncode, json.loads(told)["event"], json.loads(told)["level"]) == (0, line, "warning")


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "http://", "http://a b"])
def test_an_endpoint_is_a_url(endpoint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, dotenv=Path("/nonexistent"))

    assert str(refused.value) == "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http://collector:4318"


async def test_what_is_not_sent_yet_is_sent_at_the_end(database: DatabaseUrl, tmp_path: Path) -> None:
    received: list[tuple[str, ExportTraceServiceRequest]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}/"
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "people"}
        code, _ = await to_thread.run_sync(serve_and_end, database, tmp_path, settings)
        server.shutdown()

    sent = [resource for _, request in received for resource in request.resource_spans]
    names = {span.name for resource in sent for scope in resource.scope_spans for span in scope.spans}
    assert (code, {path for path, _ in received}) == (0, {"/v1/traces"})
    assert {"GET /users/{user_id}", "SELECT"} <= names
    assert {one.value.string_value for r in sent for one in r.resource.attributes if one.key == "service.name"} == {
        "people"
    }


async def test_an_endpoint_that_is_silent_costs_nobody_anything(database: DatabaseUrl, tmp_path: Path) -> None:
    """But the two seconds that the end may take longer."""
    with create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "10"}
        code, seconds = await to_thread.run_sync(serve_and_end, database, tmp_path, settings)

    assert code == 0
    assert 2 < seconds < 9


def serve_and_end(database: DatabaseUrl, folder: Path, settings: dict[str, str]) -> tuple[int, float]:
    """The exit code of a service that has answered, and the seconds that its end took."""
    service = Service(folder / ".postgres", DATABASE_URL=as_text(database), **cast("Any", settings))
    try:
        assert service.wait_until_ready().status("/users/7") == 404
        began = time.monotonic()
        service.send(signal.SIGTERM)
        return service.wait(), time.monotonic() - began
    finally:
        service.kill()
