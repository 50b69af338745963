"""Repeats of what is not a user: by one word at their routes, and each for its own caller."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.callers import add_session, add_user, bearer
from tests.clients import client_of
from tests.problems import problem_of
from tests.test_repeats import REUSED, is_replayed, scalar, send, told

DEVELOPER = {"name": "Ada", "email": "ada@example.com", "specialty": "engines"}
ROUTES: list[tuple[str, Any, Any]] = [
    ("/developers", DEVELOPER, {**DEVELOPER, "name": "Eve"}),
    ("/developers/bulk", [DEVELOPER], [DEVELOPER, {**DEVELOPER, "email": "eve@example.com"}]),
]


@pytest.mark.parametrize(("path", "body", "_other"), ROUTES)
async def test_a_repeat_is_answered_as_the_first_was(
    client: httpx.AsyncClient, path: str, body: Any, _other: Any
) -> None:
    first = await send(client, path, body)
    again = await send(client, path, body)

    assert (first.status_code, is_replayed(first)) == (201, False)
    assert (told(again), is_replayed(again)) == (told(first), True)
    assert (await client.get(path.removesuffix("/bulk"))).json()["total"] == 1


@pytest.mark.parametrize(("path", "body", "other"), ROUTES)
async def test_another_payload_is_422_and_tells_nothing(
    client: httpx.AsyncClient, path: str, body: Any, other: Any
) -> None:
    await send(client, path, body)
    answer = await send(client, path, other)

    assert problem_of(answer) == REUSED
    assert "ada" not in answer.text.replace(answer.headers["x-request-id"], "").lower()


async def test_a_key_is_of_one_route(client: httpx.AsyncClient) -> None:
    user = await send(client)
    developer = await send(client, "/developers", DEVELOPER)
    bulk = await send(client, "/developers/bulk", [{**DEVELOPER, "email": "eve@example.com"}])

    assert [answer.status_code for answer in (user, developer, bulk)] == [201, 201, 201]
    assert not any(map(is_replayed, (user, developer, bulk)))


async def test_a_key_is_of_one_caller(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    eve, ann = [bearer(await add_session(engine, await add_user(engine, n, is_admin=True))) for n in ("Eve", "Ann")]

    one = await send(remote, "/developers", DEVELOPER, **eve)
    other = await send(remote, "/developers", {**DEVELOPER, "email": "other@example.com"}, **ann)
    again = await send(remote, "/developers", DEVELOPER, **eve)
    nobody = await send(remote, "/developers", DEVELOPER)

    assert (one.status_code, other.status_code, is_replayed(other), nobody.status_code) == (201, 201, False, 401)
    assert (told(again), is_replayed(again)) == (told(one), True)
    assert again.headers["vary"] == "authorization"


async def test_whoever_may_no_longer_do_it_is_not_answered(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    eve = await add_user(engine, "Eve", is_admin=True)
    headers = bearer(await add_session(engine, eve))
    await send(remote, "/developers", DEVELOPER, **headers)

    await scalar(engine, "WITH u AS (UPDATE users SET is_admin = false RETURNING 1) SELECT count(*) FROM u")
    again = await send(remote, "/developers", DEVELOPER, **headers)

    assert again.status_code == 403


async def test_the_document_says_what_can_be_sent_again(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/schema/openapi.json")).json()["paths"]

    for path in ("/users", "/developers", "/developers/bulk"):
        operation = paths[path]["post"]
        assert [one["name"] for one in operation["parameters"]] == ["Idempotency-Key"]
        assert set(operation["responses"]["409"]["headers"]) == {"Retry-After"}
        assert "Idempotency-Replayed" in operation["responses"]["201"]["headers"]
    assert "Idempotency-Key" not in str(paths["/sessions"])


async def test_without_a_key_nothing_is_asked_for_it(
    client: httpx.AsyncClient, database: DatabaseUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(Settings(database_url=database, db_echo=True, log_format="json", log_level="warning"))

    async def statements(body: Any, **options: Any) -> list[str]:
        answer = await send(asked, "/developers", body, **options)
        assert answer.status_code == 201
        return re.findall(r'"event": "(?:\\n| )*(BEGIN|COMMIT|SELECT|INSERT|UPDATE|WITH)\b', capsys.readouterr().err)

    async with app.lifespan(), client_of(app) as asked:
        without = await statements(DEVELOPER, key=None)
        first = await statements({**DEVELOPER, "email": "eve@example.com"})
        again = await statements({**DEVELOPER, "email": "eve@example.com"})

    assert without == ["BEGIN", "INSERT", "COMMIT"]
    assert first == ["SELECT", "BEGIN", "WITH", "INSERT", "UPDATE", "COMMIT"]
    assert again == ["SELECT"]


async def test_a_load_that_was_refused_runs_anew(client: httpx.AsyncClient) -> None:
    taken = await send(client, "/developers", DEVELOPER, key=None)
    rows = [{**DEVELOPER, "email": "eve@example.com"}, DEVELOPER]

    refused = [await send(client, "/developers/bulk", rows) for _ in range(2)]
    await client.delete(taken.headers["location"])
    mended = await send(client, "/developers/bulk", rows)

    assert [(answer.status_code, answer.json()["errors"][0]["pointer"]) for answer in refused] == [
        (409, "/1/email")
    ] * 2
    assert (mended.status_code, mended.json(), is_replayed(mended)) == (201, {"created": 2}, False)
