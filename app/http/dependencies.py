"""Dependencies: what a handler may ask for. Who asks for a transaction writes, who asks for the reader does not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, TypeAlias

from litestar import Request
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.transactions import committed
from app.repository import reader

AnyRequest: TypeAlias = Request[Any, Any, Any]
Reader: TypeAlias = NamedDependency[reader.Reader]
Transaction: TypeAlias = NamedDependency[AsyncSession]


async def provide_transaction(db_session: NamedDependency[AsyncSession]) -> AsyncGenerator[AsyncSession, None]:
    """Commit after the handler returns and before its response starts; roll back on any exception."""
    async with committed(db_session) as session:
        yield session
