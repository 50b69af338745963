"""Repeats: a POST that can be sent again, by one word beside its handler, as in `@post(repeatable=True)`.

A request with an `Idempotency-Key` is done once; whoever sends it again gets the first answer
(draft-ietf-httpapi-idempotency-key-header).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from datetime import timedelta
from functools import wraps
from typing import Any, cast

from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute
from sqlalchemy.exc import SQLAlchemyError

from app.database.errors import DRIVER_ERRORS
from app.database.transactions import committed
from app.http.dependencies import AnyRequest
from app.http.exception_handlers import to_problem
from app.http.openapi import Repeatable, problems
from app.http.repeat_keys import KeyReused, digest_of, fingerprint_of, key_of
from app.http.responses import JsonResponse, answer_of, replayed
from app.http.rules import caller_of, hook_of
from app.problems import Problem
from app.repository.reader import Reader
from app.repository.repeats import (
    Answer,
    AnsweredMeanwhile,
    RequestInProgress,
    claim_first,
    find_answer,
    keep_answer,
)

PATIENCE = 2.0
"""Seconds that a request waits for another with its key."""
_given: ContextVar[tuple[AnyRequest, bytes] | None] = ContextVar("given", default=None)
"""The request that a handler is called for, and the digest of its key, if it has one."""
_FAILURES = (SQLAlchemyError, Problem, *DRIVER_ERRORS)
Handle = Callable[..., Awaitable[JsonResponse[Any]]]


class Repeats:
    """Knows what is being done in this worker, and what was answered in any."""

    def __init__(self, reader: Reader, *, hours: int) -> None:
        self._reader = reader
        self._lifetime = timedelta(hours=hours)
        self._under_way: dict[bytes, asyncio.Future[Answer | None]] = {}

    def apply(self, routes: Iterable[BaseRoute]) -> None:
        """Have the handlers answer once, and the document say so. Before the rules, which come first in a request.

        Raises: TypeError, where nothing can be kept.
        """
        for route in routes:
            for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
                # One handler may have several paths.
                if handler.opt.get("repeatable") and handler.operation_class is not Repeatable:
                    self._wrap(handler, route.path)

    def _wrap(self, handler: HTTPRouteHandler, path: str) -> None:
        check, handle = hook_of(handler), cast("Handle", handler.fn)
        if missing := {"data", "transaction"} - handler.parsed_fn_signature.parameters.keys():
            raise TypeError(f"POST {path} is repeatable, and has no {', no '.join(sorted(missing))}")

        async def read_key(request: AnyRequest) -> Any:
            key = key_of(request)
            route = f"POST {request.scope['path_template']}"
            _given.set(None if key is None else (request, digest_of(caller_of(request), route, key)))
            return None if check is None else await check(request)

        @wraps(handle)
        async def once(**values: Any) -> JsonResponse[Any]:
            if (given := _given.get()) is None:
                return await handle(**values)
            return await self._once(*given, handle, values)

        handler.before_request = read_key
        handler(once)
        handler.operation_class = Repeatable
        handler.responses = {**problems(409, 422), **(handler.responses or {})}

    async def _once(
        self, request: AnyRequest, digest: bytes, handle: Handle, values: dict[str, Any]
    ) -> JsonResponse[Any]:
        """Raises: RequestInProgress, KeyReused, and what the handler raises."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        fingerprint = fingerprint_of(values["data"], *request.path_params.values())
        while (first := self._under_way.get(digest)) is not None:
            # Whoever leaves must not take the first one along.
            await asyncio.wait([first], timeout=until - loop.time())
            if not first.done():
                raise RequestInProgress
            if (answer := first.result()) is not None:
                return _again(answer, fingerprint)
        mine = self._under_way[digest] = loop.create_future()
        answer = None
        try:
            if (answer := await find_answer(self._reader, digest)) is None:
                claim_first(values["transaction"], digest, fingerprint, lifetime=self._lifetime, until=until)
                try:
                    response, answer = await _do(request, digest, fingerprint, handle, values)
                    return response
                except AnsweredMeanwhile:
                    if (answer := await find_answer(self._reader, digest)) is None:
                        raise
            return _again(answer, fingerprint)
        finally:
            del self._under_way[digest]
            mine.set_result(answer)


async def _do(
    request: AnyRequest, digest: bytes, fingerprint: bytes, handle: Handle, values: dict[str, Any]
) -> tuple[JsonResponse[Any], Answer]:
    """The response, and what is kept of it."""
    try:
        async with committed(values["transaction"]) as transaction:
            response = await handle(**values)
            answer = answer_of(response, fingerprint)
            await keep_answer(transaction, digest, answer)
        return response, answer
    except _FAILURES as error:
        give_back = cast("dict[str, Any]", request.scope).get("give_back")
        # A refusal stays charged: it says which addresses are taken.
        if give_back and (isinstance(error, RequestInProgress) or to_problem(error).status >= 500):
            with suppress(SQLAlchemyError, *DRIVER_ERRORS):
                await give_back()
        raise


def _again(answer: Answer, fingerprint: bytes) -> JsonResponse[Any]:
    """The first answer, for whom it was sent the same. Raises: KeyReused."""
    if answer.fingerprint != fingerprint:
        raise KeyReused
    return replayed(answer)
