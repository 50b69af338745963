"""Stale reads: there are none, among many writers and many readers who travel together.

`STALE_READS=100000 uv run pytest tests/test_stale_reads.py` looks longer.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from itertools import count

import httpx
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.engine import configure_database
from app.repository.reader import Reader, by_key
from app.resources.users.model import User
from app.resources.users.repository import users
from app.resources.users.schemas import UserQuery
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.people import add_crowd

READS = int(os.environ.get("STALE_READS", "4000"))
_WRITE = text("UPDATE users SET name = :name WHERE id = :id")
_BY_ID = by_key(select(User.id, User.name), User.id)


async def test_no_read_is_older_than_what_was_acknowledged_before_it(
    database: DatabaseUrl, engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    await add_crowd(engine, 4)
    service = configure_database(Settings(database_url=database)).get_engine()
    reader = Reader(service, limit=30)
    acknowledged = Counter[int]()
    for row in range(1, 5):
        async with engine.connect() as connection:
            await connection.execute(_WRITE, {"name": "0", "id": row})
    reads = stale = 0

    async def write(row: int) -> None:
        async with engine.connect() as connection:
            for number in count(1):
                if reads >= READS:
                    return
                await connection.execute(_WRITE, {"name": str(number), "id": row})
                acknowledged[row] = number

    async def read(row: int) -> None:
        nonlocal reads, stale
        while reads < READS:
            least = acknowledged[row]
            record = await reader.find(_BY_ID, row)
            assert record is not None
            stale += int(record["name"]) < least
            least = acknowledged[row]
            page = await users.select(reader, UserQuery(sort="id"))
            stale += int(page.items[row - 1].name) < least
            reads += 2

    await asyncio.gather(*map(write, range(1, 5)), *(read(1 + n % 4) for n in range(32)))

    assert stale == 0
    # They did travel together, and the writers did write.
    assert reader.statements < reads / 2
    assert min(acknowledged.values()) > 10
    await service.dispose()
