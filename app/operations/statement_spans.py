"""Statement spans: what a trace holds of a statement, without its values, and of whom it served.

Not opentelemetry-instrumentation-asyncpg, which cannot tell for whom a statement is in which look-ups travel together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextvars import ContextVar
from time import perf_counter, time_ns
from typing import Any

from opentelemetry.context import attach
from opentelemetry.trace import Link, Span, SpanKind, Tracer, get_current_span, set_span_in_context
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from app.operations.request_spans import fail
from app.repository.lookups import Fetch

Together = Callable[..., Coroutine[Any, Any, Any]]

_served: ContextVar[tuple[Span, ...]] = ContextVar("served", default=())
"""The requests for which this task runs statements, where they are several."""


def trace_look_ups(together: Together) -> Together:
    """Have the statement know in which the look-ups of several requests travel."""
    asking: dict[tuple[Hashable, Hashable], list[Span]] = {}

    async def traced(kind: Hashable, key: Hashable, fetch: Fetch, **options: Any) -> Any:
        asking.setdefault((kind, key), []).append(get_current_span())

        # No coroutine of its own: whoever asks after it was called travels with the next statement.
        def leave(keys: list[Any]) -> Awaitable[dict[Any, Any]]:
            return _run_for([span for key in keys for span in asking.pop((kind, key), ())], fetch(keys))

        return await together(kind, key, leave, **options)

    return traced


async def _run_for(asking: list[Span], statement: Awaitable[dict[Any, Any]]) -> dict[Any, Any]:
    """Run a statement, in a task of its own, within the trace of one of those it serves, and linked to all."""
    sampled = [span for span in asking if span.get_span_context().trace_flags.sampled]
    attach(set_span_in_context(sampled[0] if sampled else asking[0]))
    _served.set(tuple(sampled) if len(sampled) > 1 else ())
    return await statement


def trace_statements(tracer: Tracer, engine: Engine) -> None:
    """Record what is run for a request on the connections of an engine."""

    def add(sql: str, seconds: float, error: BaseException | None = None) -> None:
        if get_current_span().get_span_context().trace_flags.sampled:
            _add(tracer, sql, seconds, error)

    @event.listens_for(engine, "connect")
    def follow(connection: Any, _record: Any) -> None:
        # In the context of the statement the driver tells of all but those that SQLAlchemy has it prepare.
        connection.driver_connection.add_query_logger(lambda ran: add(ran.query, ran.elapsed, ran.exception))

    @event.listens_for(engine, "before_cursor_execute")
    def begin(_connection: Any, _cursor: Any, _sql: str, _values: Any, context: Any, many: bool) -> None:
        context.began_at = None if many else perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def end(_connection: Any, _cursor: Any, sql: str, _values: Any, context: Any, _many: bool) -> None:
        if context.began_at is not None:
            add(sql, perf_counter() - context.began_at)

    @event.listens_for(engine, "handle_error")
    def end_badly(failed: ExceptionContext) -> None:
        if failed.statement and (began_at := getattr(failed.execution_context, "began_at", None)) is not None:
            error = failed.original_exception
            add(failed.statement, perf_counter() - began_at, error.__cause__ or error)


def _add(tracer: Tracer, sql: str, seconds: float, error: BaseException | None) -> None:
    ended_at, served, operation = time_ns(), _served.get(), (sql.split(None, 1) or [""])[0]
    span = tracer.start_span(
        operation,
        kind=SpanKind.CLIENT,
        attributes={"db.system.name": "postgresql", "db.operation.name": operation, "db.query.text": sql},
        links=[Link(each.get_span_context()) for each in served],
        start_time=ended_at - int(seconds * 1e9),
    )
    for each in served:
        if each.is_recording():
            each.add_link(span.get_span_context())
    if error is not None:
        fail(span, error)
    span.end(ended_at)
