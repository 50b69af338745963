"""Repeatable: what one word beside a handler gives to any resource, whatever its body and its path."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from litestar import Controller, post
from litestar.params import JSONBody
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncEngine

from app import application, create_app
from app.http.dependencies import Transaction
from app.http.dto import check_array
from app.http.path_parameters import RowId
from app.http.repeat_keys import fingerprint_of
from app.http.responses import JsonResponse
from app.repository.schemas import Body
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.callers import add_user
from tests.clients import client_of
from tests.problems import problem_of
from tests.test_repeats import REUSED, is_replayed, scalar, send, told


class Note(Body):
    secret = frozenset({"pin"})

    text: str
    pin: str = ""


class NoteController(Controller):
    """Notes of a user"""

    path = "/users/{user_id:str}/notes"

    @post(who="administrator", repeatable=True)
    async def create(self, user_id: RowId, data: JSONBody[Note], transaction: Transaction) -> JsonResponse[Any]:
        """Create a note."""
        return JsonResponse({"text": data.text}, status_code=201, location=f"/users/{user_id}/notes/7")

    @post(["/bulk", "/many"], who="administrator", repeatable=True, before_request=check_array)
    async def create_many(
        self, user_id: RowId, data: JSONBody[Annotated[list[Note], Meta(max_length=9)]], transaction: Transaction
    ) -> JsonResponse[Any]:
        """Create notes."""
        return JsonResponse({"created": len(data)}, status_code=201)


@pytest.fixture(params=["from the start", "later"])
async def noting(
    request: pytest.FixtureRequest,
    client: httpx.AsyncClient,
    engine: AsyncEngine,
    database: DatabaseUrl,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service with notes, and with two users."""
    await add_user(engine, "Ada")
    await add_user(engine, "Eve")
    if request.param == "from the start":
        monkeypatch.setattr(application, "RESOURCES", [*application.RESOURCES, NoteController])
    app = create_app(Settings(database_url=database, log_format="json", log_level="error"))
    if request.param == "later":
        app.register(NoteController)
    async with app.lifespan(), client_of(app) as client:
        yield client


async def test_what_belongs_to_a_user_is_answered_again_and_goes_with_them(
    noting: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    first = await send(noting, "/users/1/notes", {"text": "a"})
    again = await send(noting, "/users/1/notes", {"text": "a"})
    await noting.delete("/users/1")

    assert (first.status_code, first.headers["location"]) == (201, "/users/1/notes/7")
    assert (told(again), is_replayed(again)) == (told(first), True)
    assert await scalar(engine, "SELECT count(*) FROM idempotency_keys") == 0


async def test_another_path_of_the_route_is_another_request(noting: httpx.AsyncClient) -> None:
    await send(noting, "/users/1/notes", {"text": "a"})
    other = await send(noting, "/users/2/notes", {"text": "a"})

    assert problem_of(other) == REUSED


async def test_each_path_of_a_handler_has_requests_of_its_own(noting: httpx.AsyncClient) -> None:
    answers = [await send(noting, f"/users/1/notes/{path}", [{"text": "a"}]) for path in ("bulk", "many") * 2]

    assert [(answer.status_code, is_replayed(answer)) for answer in answers] == [
        (201, False),
        (201, False),
        (201, True),
        (201, True),
    ]


@pytest.mark.parametrize("many", [False, True])
async def test_a_secret_is_neither_compared_nor_kept(
    noting: httpx.AsyncClient, engine: AsyncEngine, many: bool
) -> None:
    path = "/users/1/notes/bulk" if many else "/users/1/notes"
    bodies = [[{"text": "a", "pin": pin}] if many else {"text": "a", "pin": pin} for pin in ("1234", "4321")]

    first = await send(noting, path, bodies[0])
    again = await send(noting, path, bodies[1])

    assert (first.status_code, again.status_code, is_replayed(again)) == (201, 201, True)


@pytest.mark.parametrize("kind", [Body, list])
def test_a_version_that_knows_more_fields_finds_what_was_sent_before(kind: type) -> None:
    class Later(Body):
        text: str
        colour: str = "blue"
        tags: list[str] = []

    before, after, other = Note("a"), Later("a"), Later("a", "red")
    if kind is list:
        assert fingerprint_of([before, before]) == fingerprint_of([after, after]) != fingerprint_of([after, other])
    else:
        assert fingerprint_of(before) == fingerprint_of(after) != fingerprint_of(other)


class Careless(Controller):
    path = "/careless"

    @post(who="anyone", repeatable=True)
    async def create(self, data: JSONBody[Note]) -> JsonResponse[Any]:
        """Create what no transaction keeps."""
        return JsonResponse({}, status_code=201)


def test_without_a_transaction_nothing_can_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "RESOURCES", [*application.RESOURCES, Careless])

    with pytest.raises(TypeError, match="POST /careless is repeatable, and has no transaction"):
        create_app(Settings())
