"""Look-ups by key: those that arrive together travel together, and none is worse off for its company."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.engine import configure_database
from app.repository.lookups import MOST_KEYS, PATIENCE, Lookups, SharedFailure
from app.repository.reader import Reader, Rendered, by_key
from app.resources.sessions.model import Session
from app.resources.users.model import User
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.people import add_crowd
from tests.problems import problem, problem_of
from tests.test_users import sign_up

CROWD = (
    "INSERT INTO users (name, email, hashed_password) SELECT n, n || '@example.com', '' FROM generate_series(1, 2000) n"
)
SIGNED_IN = """
INSERT INTO sessions (token_hash, user_id, user_agent, expires_at)
SELECT sha256(convert_to(name, 'UTF8')), id, '', now() + interval '1 day' FROM users
"""


class Table:
    """Answers statements when it is told to, with a row for each key below 1,000."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.answers: list[asyncio.Future[None]] = []

    async def fetch(self, keys: list[int]) -> dict[int, str]:
        answer = asyncio.get_running_loop().create_future()
        self.asked.append(keys)
        self.answers.append(answer)
        await answer
        return {key: f"row {key}" for key in keys if key < 1000}


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_arrives_together_is_one_statement_and_each_gets_its_own_row() -> None:
    table = Table()
    lookups = Lookups(table.fetch, MOST_KEYS)

    asking = [asyncio.create_task(lookups.find(key)) for key in (1, 2, 2, 1000)]
    await turns()
    table.answers[0].set_result(None)
    found = await asyncio.gather(*asking)

    assert table.asked == [[1, 2, 1000]]
    assert found == ["row 1", "row 2", "row 2", None]


async def test_a_lookup_never_joins_a_statement_that_is_under_way() -> None:
    table = Table()
    lookups = Lookups(table.fetch, MOST_KEYS)

    first = asyncio.create_task(lookups.find(1))
    await turns()
    second = asyncio.create_task(lookups.find(1))
    await turns()
    assert table.asked == [[1], [1]]
    table.answers[1].set_result(None)
    await second
    assert not first.done()
    table.answers[0].set_result(None)
    await first


async def test_with_two_under_way_the_others_wait_to_be_more_but_not_for_long() -> None:
    table = Table()
    lookups = Lookups(table.fetch, MOST_KEYS)

    asking: list[asyncio.Task[str | None]] = []
    for key in (1, 2, 3, 4):
        asking.append(asyncio.create_task(lookups.find(key)))
        await turns()
    assert table.asked == [[1], [2]]
    await asyncio.sleep(3 * PATIENCE)

    assert table.asked == [[1], [2], [3, 4]]
    table.answers[2].set_result(None)
    await asyncio.gather(*asking[2:])
    assert not any(task.done() for task in asking[:2])
    for answer in table.answers[:2]:
        answer.set_result(None)
    await asyncio.gather(*asking)


async def test_a_statement_that_returns_lets_the_next_begin_at_once() -> None:
    table = Table()
    lookups = Lookups(table.fetch, MOST_KEYS)
    asking: list[asyncio.Task[str | None]] = []
    for key in (1, 2, 3):
        asking.append(asyncio.create_task(lookups.find(key)))
        await turns()

    table.answers[0].set_result(None)
    await turns()

    assert table.asked == [[1], [2], [3]]
    for answer in table.answers[1:]:
        answer.set_result(None)
    await asyncio.gather(*asking)


async def test_whoever_gives_up_takes_nobody_along() -> None:
    table = Table()
    lookups = Lookups(table.fetch, MOST_KEYS)
    asking = [asyncio.create_task(lookups.find(key)) for key in (1, 1, 2)]
    await turns()

    asking[0].cancel()
    await turns()
    table.answers[0].set_result(None)
    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == ["row 1", "row 2"]


async def test_a_statement_that_nobody_waits_for_is_ended() -> None:
    table = Table()
    lookups = Lookups(table.fetch, MOST_KEYS)
    asking = [asyncio.create_task(lookups.find(key)) for key in (1, 2)]
    await turns()

    asking[0].cancel()
    await turns()
    assert not table.answers[0].cancelled()
    asking[1].cancel()
    await turns()

    assert table.answers[0].cancelled()


async def test_a_failure_reaches_each_as_an_exception_of_its_own() -> None:
    table = Table()
    lookups = Lookups(table.fetch, MOST_KEYS)
    asking = [asyncio.create_task(lookups.find(key)) for key in (1, 2, 3)]
    await turns()
    failure = ConnectionResetError()

    table.answers[0].set_exception(failure)
    errors = await asyncio.gather(*asking, return_exceptions=True)

    assert len({id(error) for error in errors}) == 3
    assert {type(error) for error in errors} == {SharedFailure}
    assert {getattr(error, "__cause__", None) for error in errors} == {failure}


async def test_a_statement_has_a_bound_of_keys() -> None:
    table = Table()
    lookups = Lookups(table.fetch, MOST_KEYS)

    asking = [asyncio.create_task(lookups.find(key)) for key in range(1, MOST_KEYS + 3)]
    await turns()

    assert [len(keys) for keys in table.asked] == [MOST_KEYS, 2]
    for answer in table.answers:
        answer.set_result(None)
    await asyncio.gather(*asking)


async def test_many_readers_each_get_their_own_user(
    client: httpx.AsyncClient, engine: AsyncEngine, app: Litestar
) -> None:
    await add_crowd(engine, 300)

    answers = await asyncio.gather(*(client.get(f"/users/{1 + n * 7 % 320}") for n in range(600)))

    for n, answer in enumerate(answers):
        number = 1 + n * 7 % 320
        if number > 300:
            assert problem_of(answer) == problem(404, "not_found", "User not found")
        else:
            assert answer.json() == {"id": number, "name": f"Person {number % 7}", "email": f"p{number}@example.com"}


async def test_a_read_after_an_acknowledged_write_sees_it(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await add_crowd(engine, 4)
    ended = asyncio.Event()
    stale = reads = 0

    async def read(user: int) -> None:
        while not ended.is_set():
            await client.get(f"/users/{user}")

    async def write_and_read(user: int) -> None:
        nonlocal stale, reads
        for number in range(60):
            await client.patch(f"/users/{user}", json={"name": f"{number}"})
            seen = await client.get(f"/users/{user}")
            stale += seen.json()["name"] != f"{number}"
            reads += 1

    readers = [asyncio.create_task(read(1 + n % 4)) for n in range(12)]
    await asyncio.gather(*(write_and_read(user) for user in (1, 2, 3, 4)))
    ended.set()
    await asyncio.gather(*readers)

    assert (stale, reads) == (0, 240)


@pytest.mark.parametrize("number", [-1, 0, 2**63 - 1])
async def test_an_id_at_the_edge_spoils_no_company(client: httpx.AsyncClient, number: int) -> None:
    await sign_up(client)

    answers = await asyncio.gather(*(client.get(f"/users/{n}") for n in (1, number, 1)))

    assert [answer.status_code for answer in answers] == [200, 404, 200]


async def test_a_defect_in_a_shared_statement_is_logged_with_where_it_came_from(
    client: httpx.AsyncClient, app: Litestar, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise AttributeError("a value")

    monkeypatch.setattr("app.repository.reader.Reader.records", broken)

    answer = await client.get("/users/1")

    assert problem_of(answer)["code"] == "internal_error"
    (record,) = [record for record in caplog.records if record.name == "app.errors"]
    logged: dict[str, Any] = record.msg  # type: ignore[assignment]
    assert logged["cause"]["exception"] == "builtins.AttributeError"
    assert logged["cause"]["frames"][-1].endswith(" broken")
    assert "a value" not in str(logged)


async def test_small_batches_are_planned_once_and_for_all(database: DatabaseUrl, engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        for statement in (CROWD, SIGNED_IN, "ANALYZE users, sessions"):
            await connection.execute(text(statement))
    pool_of_one = configure_database(Settings(database_url=database, db_pool_size=1, db_max_overflow=0)).get_engine()
    reader = Reader(pool_of_one, limit=5)
    sessions = select(Session.token_hash, User.name).join(User, User.id == Session.user_id)
    lookup = by_key(sessions, Session.token_hash)

    for _ in range(20):
        await asyncio.gather(*(reader.find(lookup, key) for key in (b"1", b"2", b"3")))
    plans = "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE strpos(statement, $1) > 0"
    ((custom, generic),) = await reader.records(Rendered(plans, (("shape", "token_hash = ANY"),)), {})
    await pool_of_one.dispose()

    assert custom <= 5
    assert custom + generic == 20
