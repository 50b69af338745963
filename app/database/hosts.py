"""Hosts: one attempt to connect, to whichever of several hosts will do, with a patience of its own for each.

The driver asks one after the other and has one patience for all together, so that a host which is silent hides the
others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connect = Callable[..., Coroutine[Any, Any, Any]]
Arguments: TypeAlias = dict[str, Any]

_NEXT_AFTER = 0.3
"""Seconds without an answer after which those are asked who are the next best."""


def attempt_of(connect: Connect, arguments: Arguments) -> Callable[[], Coroutine[Any, Any, Connection]]:
    """One try of one host, or of several."""
    if not isinstance(arguments.get("host"), list):
        return lambda: connect(**arguments)
    waves = _waves(arguments)
    return lambda: _first_success(connect, waves)


def _waves(arguments: Arguments) -> list[list[Arguments]]:
    """Who is asked together, the best first: as libpq does, in the order of the URL where any will do."""
    several = zip(arguments["host"], arguments["port"], strict=True)
    hosts = [{**arguments, "host": host, "port": port} for host, port in several]
    wanted = arguments.get("target_session_attrs") or "any"
    in_turn = [[{**host, "target_session_attrs": "any"}] for host in hosts]
    if wanted == "prefer-standby":
        return [[{**host, "target_session_attrs": "standby"} for host in hosts], *in_turn]
    return in_turn if wanted == "any" else [hosts]


async def _first_success(connect: Connect, waves: Sequence[list[Arguments]]) -> Connection:
    """The first attempt that succeeds. Raises: what the last one to fail has raised."""
    left, due = list(waves), 0.0
    pending: set[asyncio.Task[Connection]] = set()
    clock = asyncio.get_running_loop().time
    try:
        while True:
            if left and (not pending or clock() >= due):
                pending |= {asyncio.ensure_future(connect(**arguments)) for arguments in left.pop(0)}
                due = clock() + _NEXT_AFTER
            patience = max(0.0, due - clock()) if left else None
            done, pending = await asyncio.wait(pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            succeeded = [task for task in done if task.exception() is None]
            if succeeded or not (pending or left):
                pending |= set(succeeded[1:])
                return (succeeded or list(done))[0].result()
    finally:
        cancel(pending)


def cancel(tasks: set[asyncio.Task[Connection]]) -> None:
    """End attempts that nobody needs any more, and connections that came of them meanwhile."""

    def close(task: asyncio.Task[Connection]) -> None:
        if not task.cancelled() and task.exception() is None:
            task.result().terminate()

    for task in tasks:
        task.cancel()
        task.add_done_callback(close)
