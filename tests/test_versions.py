"""Versions: every change moves a row's, whoever makes it, and no tag comes again."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.resources.users.model import User
from app.resources.users.repository import UserRepository
from tests.test_users import sign_up


async def tag(client: httpx.AsyncClient) -> str:
    return (await client.get("/users/1")).headers["etag"]


async def test_a_change_in_sql_moves_the_version(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    seen = (await sign_up(client)).headers["etag"]

    async with engine.connect() as connection:
        await connection.execute(text("UPDATE users SET name = 'Ada L.'"))
    after_sql = await tag(client)
    async with engine.connect() as connection:
        await connection.execute(update(User).values(name="Ada K."))

    assert len({seen, after_sql, await tag(client)}) == 3
    stale = await client.patch("/users/1", json={"name": "Ada"}, headers={"If-Match": seen})
    assert stale.status_code == 412


async def test_nobody_writes_a_version_backwards(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    seen = int((await sign_up(client)).headers["etag"].strip('"'))

    async with engine.connect() as connection:
        await connection.execute(text("UPDATE users SET version = 1"))

    assert int((await tag(client)).strip('"')) > seen


async def test_an_upsert_by_the_library_moves_the_version(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    seen = (await sign_up(client)).headers["etag"]
    user = User(id=1, name="Ada U.", email="ada@example.com", hashed_password="x")

    async with AsyncSession(engine, expire_on_commit=False) as session:
        await UserRepository(session=session).upsert_many([user], match_fields=["id"])
        await session.commit()

    assert (await client.get("/users/1")).json()["name"] == "Ada U."
    assert await tag(client) != seen


@pytest.mark.parametrize(
    "emptied", ["DELETE FROM users; ALTER TABLE users ALTER id RESTART", "TRUNCATE users RESTART IDENTITY CASCADE"]
)
async def test_a_new_user_with_an_old_id_has_another_tag(
    client: httpx.AsyncClient, engine: AsyncEngine, emptied: str
) -> None:
    first = (await sign_up(client)).headers["etag"]

    async with engine.connect() as connection:
        for statement in emptied.split(";"):
            await connection.execute(text(statement))
    second = await sign_up(client, email="bob@example.com")

    assert (second.json()["id"], second.headers["etag"] != first) == (1, True)
    refused = await client.delete("/users/1", headers={"If-Match": first})
    assert refused.status_code == 412


async def test_a_row_from_a_backup_takes_no_tag_that_was_given_since(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await sign_up(client)
    async with engine.connect() as connection:
        await connection.execute(text("CREATE TABLE backup AS SELECT * FROM users"))
        given = [(await client.patch("/users/1", json={"name": f"Ada {n}"})).headers["etag"] for n in range(3)]
        await connection.execute(text("TRUNCATE users CASCADE"))
        await connection.execute(text("INSERT INTO users OVERRIDING SYSTEM VALUE SELECT * FROM backup"))
        await connection.execute(text("DROP TABLE backup"))

    changed = [(await client.patch("/users/1", json={"name": f"Eve {n}"})).headers["etag"] for n in range(3)]

    assert not set(given) & set(changed)
