"""Request spans: what a trace holds of a request.

Not opentelemetry-instrumentation-asgi, nor Litestar's plugin that is made of it: they record queries, in which there
are people's addresses, name a span before its route is known, and see no refusal of the middleware.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_span_id,
    format_trace_id,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from app.operations.metrics import METHODS, PARAMETER_TYPE

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

Handle = Callable[["ASGIApp", "HTTPScope", "Receive", "Send"], Awaitable[None]]

_propagator = TraceContextTextMapPropagator()


def trace_requests(tracer: Tracer, handle: Handle) -> Handle:
    """Record each request that `handle` is called for, whatever becomes of it, and name the trace in its log lines."""

    async def traced(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        about = {"http.request.method": method, "url.scheme": scope["scheme"], "url.path": scope["path"]}
        context = _context_of(scope["headers"])
        span = tracer.start_span(method, context=context, kind=SpanKind.SERVER, attributes=about)

        def recording(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start" and span.is_recording():
                _answer(span, method, scope, message)
            return send(message)

        of = span.get_span_context()
        ids = {"trace_id": format_trace_id(of.trace_id), "span_id": format_span_id(of.span_id)}
        with use_span(span, True, False, False), bound_contextvars(**ids):
            try:
                await handle(app, scope, receive, recording)
            except BaseException as error:  # A client that leaves is one, too: whatever it was, it goes on from here.
                fail(span, error)
                raise

    return traced


def fail(span: Span, error: BaseException) -> None:
    """Tell what was raised, but not what it says: a driver quotes values in it."""
    span.set_attribute("error.type", type(error).__qualname__)
    if state := getattr(error, "sqlstate", None):
        span.set_attribute("db.response.status_code", state)
    span.set_status(StatusCode.ERROR)


def _context_of(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """The trace that whoever asks has begun, where the headers name one (W3C Trace Context)."""
    carrier = {
        name.decode(): value.decode("latin-1") for name, value in headers if name in (b"traceparent", b"tracestate")
    }
    return _propagator.extract(carrier, Context()) if carrier else Context()


def _answer(span: Span, method: str, scope: HTTPScope, message: Any) -> None:
    status = message["status"]
    about = {"http.response.status_code": status, "request_id": dict(message["headers"])[b"x-request-id"].decode()}
    if template := scope.get("path_template"):
        about["http.route"] = _plain(str(template))
        span.update_name(f"{method} {about['http.route']}")
    if status >= 500:
        about["error.type"] = str(status)
        span.set_status(StatusCode.ERROR)
    span.set_attributes(about)


@cache
def _plain(route: str) -> str:
    return PARAMETER_TYPE.sub("}", route)
