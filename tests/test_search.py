"""Search: by trigrams where PostgreSQL has them, the same answers where it has not."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database_url import DatabaseUrl, parse_database_url
from tests.databases import engine_of, migrate
from tests.people import add_people
from tests.test_counts import run
from tests.test_indexes import plan

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
FILL = (
    "INSERT INTO users (name, email, hashed_password)"
    " SELECT md5(i::text), md5((-i)::text) || '@example.com', 'x' FROM generate_series(1, 5000) i"
)


@pytest.fixture
async def with_trigrams() -> AsyncIterator[DatabaseUrl]:
    """A migrated database on the system's own PostgreSQL, which brings every extension."""
    if not PROGRAMS:
        pytest.skip("needs a PostgreSQL of the system's: the embedded one has no pg_trgm")
    home = Path(tempfile.mkdtemp(prefix="trigrams-"))
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    if user is not None:
        os.chown(home, user, -1)

    def execute(program: str, *arguments: str) -> None:
        subprocess.run(
            [PROGRAMS[-1] / program, "-D", "data", *arguments],
            cwd=home,
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    execute("initdb", "-U", "postgres", "--auth=trust", "--no-sync")
    execute("pg_ctl", "start", "--silent", "--log=log", "-o", f"-k {home} -c listen_addresses='' -F")
    try:
        url = parse_database_url(f"postgresql://postgres@/postgres?host={home}")
        await migrate(url)
        yield url
    finally:
        execute("pg_ctl", "stop", "--silent", "-m", "immediate")
        shutil.rmtree(home)


async def test_a_search_uses_the_index_where_there_is_one(with_trigrams: DatabaseUrl) -> None:
    engine = engine_of(with_trigrams)
    await run(engine, FILL, "VACUUM ANALYZE users")

    found = await plan(engine, "q=abcdef")

    await engine.dispose()
    assert "ix_users_trgm" in found
    assert "Seq Scan on users" not in found


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("ADA", ["Ada Lovelace", "Barada"]),
        ("lovelace", ["Ada Lovelace"]),
        ("EXAMPLE.org", ["Grace"]),
        ("100%", ["100% Grace"]),
        ("a_b", ["a_b"]),
        ("a\\b", ["a\\b"]),
        ("nobody", []),
    ],
)
async def test_a_search_finds_parts_of_names_and_addresses(
    client: httpx.AsyncClient, engine: AsyncEngine, part: str, names: list[str]
) -> None:
    await add_people(
        engine,
        ("Ada Lovelace", "al@example.com"),
        ("Barada", "b@example.com"),
        ("Grace", "grace@example.org"),
        ("100% Grace", "c@example.com"),
        ("1000 Grace", "d@example.com"),
        ("a_b", "e@example.com"),
        ("axb", "f@example.com"),
        ("a\\b", "g@example.com"),
    )

    answer = (await client.get("/users", params={"q": part})).json()

    assert [user["name"] for user in answer["items"]] == names
    assert answer["total"] == len(names)
