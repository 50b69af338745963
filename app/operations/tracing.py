"""Tracing: OpenTelemetry, where an endpoint is set; nothing of it is imported where none is."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from threading import Thread
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from app.http.service import UserService
from app.repository.reader import Reader

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_PROTOCOL = "http/protobuf"
_FLUSH_SECONDS = 2.0
"""Seconds that the end of a worker may take longer for what is not sent yet."""
_QUIET_SECONDS = 60.0
"""Seconds between two lines that say why nothing is sent."""
_logger = logging.getLogger(__name__)


def trace(app: UserService, engine: AsyncEngine, reader: Reader, endpoint: str | None) -> None:
    """Have requests and their statements recorded, and sent to `endpoint`.

    What keeps that from being done is a line in the log, and the service serves: these variables are often set for a
    whole cluster, and traces are no reason to be down.
    """
    if endpoint is None:
        return
    named = (os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL") for signal in ("TRACES_", ""))
    if (protocol := next(filter(None, named), _PROTOCOL)) != _PROTOCOL:
        _logger.warning("No traces: OTEL_EXPORTER_OTLP_PROTOCOL is %s, but can only be %s", protocol, _PROTOCOL)
        return
    try:
        provider = _provide(endpoint)
        from app.operations.request_spans import trace_requests
        from app.operations.statement_spans import trace_look_ups, trace_statements
    except ModuleNotFoundError:
        _logger.warning("No traces: for OTEL_EXPORTER_OTLP_ENDPOINT install the extra: uv sync --extra otel")
        return
    except ValueError as error:
        _logger.warning("No traces: a variable OTEL_... is wrong: %s", error)
        return
    tracer = provider.get_tracer("litestar-users")
    app.handle_request = trace_requests(tracer, app.handle_request)
    reader.together = trace_look_ups(reader.together)  # type: ignore[method-assign]
    trace_statements(tracer, engine.sync_engine)

    async def flush() -> None:
        # As a daemon, which no silent endpoint lets hold up the end of the process.
        thread = Thread(target=provider.shutdown, daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, _FLUSH_SECONDS)

    app.on_shutdown.append(flush)
    for library in ("exporter.otlp.proto.http.trace_exporter", "sdk._shared_internal"):
        logging.getLogger(f"opentelemetry.{library}").addFilter(_Rarely())


def _provide(endpoint: str) -> TracerProvider:
    """What the variables of OpenTelemetry say, for an endpoint. Raises: ModuleNotFoundError, ValueError."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "litestar-users"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    return provider


class _Rarely(logging.Filter):
    """Lets a line pass from time to time: an endpoint that is down fails every batch."""

    _next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        passes = time.monotonic() >= self._next
        if passes:
            self._next = time.monotonic() + _QUIET_SECONDS
        return passes
