"""Command: what a command does with the database, and how it tells a person or a script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from advanced_alchemy.config import SQLAlchemyAsyncConfig
from advanced_alchemy.exceptions import RepositoryError
from asyncpg import UndefinedFunctionError, UndefinedTableError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.database.connector import CONNECTION_ERRORS
from app.database.errors import DRIVER_ERRORS, NOT_MIGRATED, root_cause
from app.database.failures import MIGRATE, explain
from app.http.exception_handlers import to_problem
from app.problems import Problem, Unavailable
from app.repository.lookups import SharedFailure

T = TypeVar("T")

_EXPECTED_ERRORS = (Problem, RepositoryError, SQLAlchemyError, SharedFailure, *DRIVER_ERRORS)
"""What may go wrong in a command; some of these are defects all the same."""


class CommandFailure(Exception):
    """What a person is told instead of a trace, and the exit status."""

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class Command(click.Command):
    """Says in a plain line on standard error what went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CommandFailure as failure:
            click.echo(f"Error: {failure}", err=True)
            ctx.exit(failure.status)


class CommandRunner:
    """Runs one command's work in an event loop of its own, and disposes of the engine."""

    def __init__(self, config: SQLAlchemyAsyncConfig) -> None:
        self._config = config

    def run(self, job: Callable[[AsyncEngine], Awaitable[T]], *, status: int = 1) -> T:
        """Raises: Failure, with `status`."""
        try:
            return asyncio.run(self._run(job))
        except _EXPECTED_ERRORS as error:
            if (line := to_line(error, self._config.get_engine().url.database)) is None:
                raise
            raise CommandFailure(line, status=status) from error

    def change(self, job: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run a unit of work, and commit it. Raises: Failure."""

        async def within(engine: AsyncEngine) -> T:
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                return await job(session)

        return self.run(within)

    async def _run(self, job: Callable[[AsyncEngine], Awaitable[T]]) -> T:
        engine = self._config.get_engine()
        try:
            return await job(engine)
        finally:
            await engine.dispose()


def to_line(error: Exception, database: object) -> str | None:
    """What a person is told of an error; None of a defect, which stays as it is, trace and all."""
    cause, problem = root_cause(error), to_problem(error)
    if isinstance(cause, UndefinedTableError | UndefinedFunctionError):
        return f"The tables are not there yet: {MIGRATE}"
    if isinstance(error, BrokenPipeError):
        return None
    if isinstance(cause, NOT_MIGRATED) or (isinstance(problem, Unavailable) and isinstance(cause, CONNECTION_ERRORS)):
        return explain(cause, database)
    if problem.status == Problem.status:
        return None
    fields = [f"{found.pointer or 'it'} {found.detail}".strip("/") for found in problem.errors]
    return "; ".join(fields) or problem.detail
