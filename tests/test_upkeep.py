"""Upkeep: what has expired goes, what is needed or locked stays, and totals stay exact."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.beside import beside
from app.operations.upkeep import AT_ONCE, EXPIRED, Upkeep
from tests.callers import add_session, add_user

FILL = {
    "sessions": "INSERT INTO sessions (token_hash, user_id, user_agent, expires_at)"
    " SELECT sha256(i::text::bytea), 1, '', now() + i * interval '1 minute' FROM generate_series(-2100, 1) i",
    "password_resets": "INSERT INTO password_resets SELECT sha256(i::text::bytea), 1, now() + i * interval '1 minute'"
    " FROM generate_series(-5, 1) i",
    "idempotency_keys": "INSERT INTO idempotency_keys SELECT sha256(i::text::bytea), '', now() + i * interval '1 min'"
    " FROM generate_series(-5, 1) i",
    "throttles": "INSERT INTO throttles SELECT sha256(i::text::bytea), now() + i * interval '1 minute'"
    " FROM generate_series(-5, 1) i",
    "known_networks": "INSERT INTO known_networks SELECT 1, ('10.0.0.' || i)::cidr, now() - i * interval '1 day'"
    " FROM generate_series(27, 33) i",
}


async def run(engine: AsyncEngine, *statements: str) -> Any:
    async with engine.connect() as connection:
        for statement in statements:
            result = await connection.execute(text(statement))
        return result.scalar() if result.returns_rows else None


async def left(engine: AsyncEngine) -> dict[str, int]:
    return {table: await run(engine, f"SELECT count(*) FROM {table}") for table in EXPIRED}


async def test_what_has_expired_is_deleted(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_user(engine, "Ada")
    await run(engine, "TRUNCATE throttles", *FILL.values())

    await Upkeep(engine).run()

    # Those of the future, and the moment that is neither.
    assert 2 * AT_ONCE < 2_100
    assert await left(engine) == {**dict.fromkeys(EXPIRED, 1), "known_networks": 3}


async def test_what_is_locked_waits_for_the_next_time(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    ada = await add_user(engine, "Ada")
    for _ in range(2):
        await add_session(engine, ada, left="-1 s")

    async with engine.execution_options(isolation_level="READ COMMITTED").connect() as other:
        await other.execute(text("SELECT FROM sessions WHERE id = 1 FOR UPDATE"))
        await Upkeep(engine).run()
        while_locked = await run(engine, "SELECT min(id) FROM sessions")
        await other.rollback()
    await Upkeep(engine).run()

    assert (while_locked, await run(engine, "SELECT count(*) FROM sessions")) == (1, 0)


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
"""
REFUSED = "CREATE TRIGGER refuse BEFORE DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()"


async def test_a_table_that_cannot_be_kept_is_told_once_and_holds_up_no_other(
    client: httpx.AsyncClient, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await add_session(engine, await add_user(engine, "Ada"), left="-1 s")
    await run(engine, FILL["password_resets"], REFUSE, REFUSED)
    upkeep = Upkeep(engine)
    caplog.set_level("WARNING", "app.upkeep")  # Other tests have quieter services in this process.

    await upkeep.run()
    await upkeep.run()
    kept = await left(engine)
    await run(engine, "DROP FUNCTION refuse CASCADE")
    await upkeep.run()

    assert (kept["sessions"], kept["password_resets"], (await left(engine))["sessions"]) == (1, 1, 0)
    told: list[Any] = [record.msg for record in caplog.records if record.name == "app.upkeep"]
    assert [(line["table"], line["reason"]) for line in told] == [("sessions", "not this one (P0001)")]


async def test_what_ends_by_a_defect_is_heard_of_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise AttributeError("a value")

    async def live() -> None:
        async with beside(broken, lambda: 0):
            while not caplog.records:
                await asyncio.sleep(0.01)
            said.append(caplog.records[0].msg)  # type: ignore[arg-type]

    said: list[dict[str, Any]] = []
    with pytest.raises(AttributeError):
        await live()

    assert said[0]["event"] == "Ended, and will not be done again"


async def test_one_at_a_time_does_it(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_session(engine, await add_user(engine, "Ada"), left="-1 s")

    async with engine.execution_options(isolation_level="READ COMMITTED").connect() as other:
        await other.execute(text("SELECT pg_advisory_xact_lock(8461213770185433)"))
        await Upkeep(engine).run()
        kept = await run(engine, "SELECT count(*) FROM sessions")

    assert kept == 1


async def test_counters_are_folded_and_the_total_stays(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    strict = engine.execution_options(isolation_level="REPEATABLE READ")
    for n in range(20):
        async with strict.begin() as connection:
            await connection.execute(
                text(f"INSERT INTO users (name, email, hashed_password) VALUES ('n', 'u{n}@example.com', '')")
            )
    slots = "SELECT count(*) FROM row_counts WHERE table_name = 'users' AND slot < 0"
    before = await run(engine, slots)

    await Upkeep(engine).run()

    assert (before > 16, await run(engine, slots)) == (True, 1)
    assert (await client.get("/users")).json()["total"] == 20
