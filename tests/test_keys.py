"""Keys: what rows are looked up by, whatever its type, in a statement of one table or of several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import md5, sha256
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import LargeBinary, Select, Uuid, cast, func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import aliased

from app.database.engine import configure_database
from app.repository.reader import Reader, by_key
from app.resources.users.model import User
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.people import add_crowd

_sums = select(
    func.sha256(cast(User.email, LargeBinary), type_=LargeBinary).label("digest"),
    cast(func.md5(User.email), Uuid).label("number"),
    User.id,
).subquery("sums")


@pytest.fixture
async def reader(database: DatabaseUrl, engine: AsyncEngine, client: httpx.AsyncClient) -> AsyncIterator[Reader]:
    await add_crowd(engine, 20)
    service = configure_database(Settings(database_url=database)).get_engine()
    yield Reader(service, limit=5)
    await service.dispose()


@pytest.mark.parametrize(
    ("statement", "key", "keys"),
    [
        (select(User.id, User.name), User.id, [3, 4, 99]),
        (select(User.id, User.email), User.email, ["p3@example.com", "p4@example.com", "'; --"]),
        (
            select(_sums.c.id, _sums.c.digest),
            _sums.c.digest,
            [sha256(text).digest() for text in (b"p3@example.com", b"p4@example.com", b"")],
        ),
        (
            select(_sums.c.id, _sums.c.number),
            _sums.c.number,
            [
                UUID(bytes=md5(text, usedforsecurity=False).digest())
                for text in (b"p3@example.com", b"p4@example.com", b"")
            ],
        ),
    ],
    ids=["int", "text", "bytea", "uuid"],
)
async def test_a_key_may_be_of_any_type(reader: Reader, statement: Select[Any], key: Any, keys: list[Any]) -> None:
    lookup = by_key(statement, key)

    alone = [await reader.find(lookup, one) for one in keys]
    before = reader.statements
    together = await asyncio.gather(*(reader.find(lookup, one) for one in keys))

    assert together == alone
    assert [record and record["id"] for record in together] == [3, 4, None]
    assert reader.statements == before + 1


async def test_a_statement_may_join_tables_and_have_conditions_of_its_own(reader: Reader) -> None:
    other = aliased(User)
    statement = (
        select(other.id, User.email, User.id)
        .join(other, other.name == User.name)
        .where(other.id < 8, User.id != 13, User.created_at <= func.now())
    )
    lookup = by_key(statement, User.id)

    found = await asyncio.gather(*(reader.find(lookup, key) for key in (9, 13, 10)))

    assert [record and tuple(record) for record in found] == [
        (2, "p9@example.com", 9),
        None,
        (3, "p10@example.com", 10),
    ]
    assert await reader.find(lookup, 9) == found[0]
