"""Rules: every route and every caller, and who is let in."""

from __future__ import annotations

import re
from typing import Any, Literal

import httpx
import pytest
from litestar import Controller, Litestar, get, post
from litestar.params import JSONBody
from litestar.routes import HTTPRoute
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app import application, create_app
from app.credentials.tokens import make_token
from app.http.dependencies import AnyRequest, Transaction
from app.http.responses import JsonResponse
from app.http.rules import RULES, apply_rules
from app.problems import Conflict
from app.repository.schemas import Body
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from tests.callers import add_session, add_user, bearer
from tests.clients import client_of
from tests.problems import problem, problem_of

CONTRACT = {
    "POST /users": "sign_up",
    "GET /users": "administrator",
    "GET /users/me": "signed_in",
    "GET /users/{user_id}": "self",
    "PATCH /users/{user_id}": "self",
    "DELETE /users/{user_id}": "self",
    "GET /users/{user_id}/account": "administrator",
    "PATCH /users/{user_id}/account": "administrator",
    "PUT /users/{user_id}/password": "self",
    "POST /users/{user_id}/password-resets": "administrator",
    "POST /password-resets": "anyone",
    "POST /sessions": "anyone",
    "GET /sessions": "signed_in",
    "DELETE /sessions": "signed_in",
    "DELETE /sessions/current": "signed_in",
    "DELETE /sessions/{session_id}": "signed_in",
    "GET /metrics": "administrator",
    "GET /health": "anyone",
    "GET /health/live": "anyone",
    "GET /health/ready": "anyone",
    "GET /schema": "anyone",
    "GET /schema/openapi.json": "anyone",
    "GET /schema/start.js": "anyone",
    "GET /schema/assets/{name}": "anyone",
    "GET /schema/{path}": "anyone",
}
CALLERS = ("none", "self", "other", "administrator", "expired", "revoked", "deactivated", "invented")
IN, OUT, NOT_YOURS, NOT_FOUND = "let in", 401, 403, 404
ENDING = {"DELETE /sessions", "DELETE /sessions/current", "DELETE /sessions/{session_id}"}
"""What is tried by those only whose session does not end by it."""
LIVE = {"self", "other", "administrator"}


def expected(rule: str, caller: str) -> Any:
    """What the contract says."""
    if rule in ("anyone", "sign_up"):
        return IN
    if caller not in LIVE:
        return OUT
    if caller == "administrator" or rule == "signed_in":
        return IN
    if rule == "administrator":
        return NOT_YOURS
    return IN if caller == "self" else NOT_FOUND


def served(app: Litestar) -> dict[str, Any]:
    """The rule of every route."""
    return {
        f"{method} {route.path_format}": handler.opt.get("who")
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    }


async def test_the_routes_have_the_rules_of_the_contract(closed_app: Litestar) -> None:
    wings = {route.split("/")[1] for route in CONTRACT}

    # Other resources say in tests of their own who may do what.
    assert {route: rule for route, rule in served(closed_app).items() if route.split("/")[1] in wings} == CONTRACT
    assert set(CONTRACT.values()) == set(RULES)


async def tokens_of(engine: AsyncEngine, caller: str) -> str | None:
    """A token of a caller; the user that a path is about is number 1."""
    ids = {name: await add_user(engine, name, is_admin=name == "Root") for name in ("Ada", "Bob", "Root", "Eve")}
    user = {"other": "Bob", "administrator": "Root", "deactivated": "Eve"}.get(caller, "Ada")
    token = await add_session(engine, ids[user], left="-1 s" if caller == "expired" else "1 hour")
    async with engine.connect() as connection:
        if caller == "revoked":
            await connection.execute(text("DELETE FROM sessions"))
        if caller == "deactivated":
            # Not by way of the trigger: the session is still there.
            await connection.execute(text("ALTER TABLE users DISABLE TRIGGER end_sessions"))
            await connection.execute(text("UPDATE users SET active = false WHERE name = 'Eve'"))
            await connection.execute(text("ALTER TABLE users ENABLE TRIGGER end_sessions"))
    return None if caller == "none" else make_token() if caller == "invented" else token


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_route_lets_a_caller_in_or_not(
    closed_app: Litestar, remote: httpx.AsyncClient, engine: AsyncEngine, caller: str
) -> None:
    token = await tokens_of(engine, caller)
    # No version is this, so nothing is changed.
    headers = {"If-Match": '"0"', **(bearer(token) if token else {})}
    challenge = "Bearer" if token is None else 'Bearer error="invalid_token"'
    seen, told = {}, {}

    for route in served(closed_app):
        method, path = route.split()
        if route in ENDING and caller in LIVE:
            continue
        answer = await remote.request(method, re.sub(r"{\w+}", "1", path), headers=headers)
        seen[route] = answer.status_code
        told[route] = (answer.headers.get("vary"), answer.headers.get("www-authenticate"))

    for route, status in seen.items():
        rule = served(closed_app)[route]
        if (wanted := expected(rule, caller)) == IN:
            # Where nobody needs a token 401 is a password that is wrong; what is a caller's own is there.
            refusals = {"anyone": {403}, "self": {401, 403, 404}}.get(rule, {401, 403})
            assert status not in refusals, route
            assert status < 500, route
        else:
            assert status == wanted, route
        if rule not in ("anyone", "sign_up"):
            assert told[route] == ("authorization", challenge if status == 401 else None), route


async def test_whoever_may_not_is_refused_before_any_look_up(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    mine = bearer(await add_session(engine, await add_user(engine, "Ada")))

    answers = [
        await remote.patch("/users/77/account", json={"nonsense": 1}, headers=mine),
        await remote.post("/users/77/password-resets", headers=mine),
        await remote.get("/users?emial=x", headers=mine),
    ]
    foreign = [await remote.get(f"/users/{user_id}", headers=mine) for user_id in (77, 2**63, "x")]

    assert [problem_of(answer) for answer in answers] == [problem(403, "forbidden", "This is for administrators")] * 3
    assert [answer.status_code for answer in foreign] == [404, 404, 422]


async def test_your_own_row_is_the_one_that_everybody_sees(remote: httpx.AsyncClient, engine: AsyncEngine) -> None:
    mine = bearer(await add_session(engine, await add_user(engine, "Ada")))

    changed = await remote.patch("/users/1", json={"name": "Ada King"}, headers=mine)
    read = [await remote.get(path, headers=mine) for path in ("/users/1", "/users/me")]
    fresh = await remote.get("/users/1", headers={**mine, "If-None-Match": changed.headers["etag"]})

    assert [(one.json(), one.headers["etag"]) for one in read] == [(changed.json(), changed.headers["etag"])] * 2
    assert fresh.status_code == 304


async def test_only_administrators_sign_people_up_where_so_set(
    remote: httpx.AsyncClient, engine: AsyncEngine, database: DatabaseUrl
) -> None:
    app = create_app(
        Settings(database_url=database, access="token", sign_up="admin", log_format="json", log_level="warning")
    )
    new = {"name": "Eve", "email": "eve@example.com", "password": "correct horse"}
    users = {"self": await add_user(engine, "Ada"), "root": await add_user(engine, "Root", is_admin=True)}
    headers = [{}, *[bearer(await add_session(engine, user)) for user in users.values()]]

    async with app.lifespan(), client_of(app, address="203.0.113.7", host="api.example.com") as client:
        answers = [await client.post("/users", json=new, headers=given) for given in headers]
        described = (await client.get("/schema/openapi.json")).json()["paths"]["/users"]["post"]

    assert [answer.status_code for answer in answers] == [401, 403, 201]
    assert described["security"] == [{"bearer": []}]
    assert described["description"].endswith(RULES["administrator"] + ".")


def test_a_route_without_a_rule_stops_the_start() -> None:
    @get("/forgotten")
    async def forgotten() -> None: ...

    @get("/mistyped", who="administrators")
    async def mistyped() -> None: ...

    @get("/pathless", who="self")
    async def pathless() -> None: ...

    for handler in (forgotten, mistyped, pathless):
        with pytest.raises(TypeError, match=f"{handler.fn.__name__}.* says who="):
            apply_rules(Litestar([handler], openapi_config=None).routes, None)


async def refuse(request: AnyRequest) -> None:
    raise Conflict


class Closed(Controller):
    path = "/closed"
    before_request = staticmethod(refuse)

    @get(who="signed_in")
    async def read(self) -> None:
        """Read."""

    @post(who="signed_in", repeatable=True)
    async def create(self, data: JSONBody[Body], transaction: Transaction) -> JsonResponse[Any]:
        """Create."""
        return JsonResponse({}, status_code=201)


@pytest.mark.parametrize("access", ["local", "token"])
async def test_what_a_controller_runs_before_its_handlers_runs_behind_the_rules(
    client: httpx.AsyncClient,
    engine: AsyncEngine,
    database: DatabaseUrl,
    monkeypatch: pytest.MonkeyPatch,
    access: Literal["local", "token"],
) -> None:
    monkeypatch.setattr(application, "RESOURCES", [*application.RESOURCES, Closed])
    app = create_app(Settings(database_url=database, access=access, log_format="json", log_level="warning"))
    mine = bearer(await add_session(engine, await add_user(engine, "Ada")))

    async with app.lifespan(), client_of(app) as caller:
        answers = [await caller.request(method, "/closed", headers=mine, json={}) for method in ("GET", "POST")]
        stranger = await caller.get("/closed")

    assert [answer.status_code for answer in answers] == [409, 409]
    assert stranger.status_code == (401 if access == "token" else 409)


@pytest.mark.usefixtures("remote")
async def test_a_route_that_comes_later_keeps_its_rule(database: DatabaseUrl, engine: AsyncEngine) -> None:
    @get("/late", who="administrator", sync_to_thread=False)
    def late() -> None: ...

    @get("/forgotten")
    async def forgotten() -> None: ...

    app = create_app(Settings(database_url=database, access="token", log_format="json", log_level="error"))
    app.register(late)
    mine = bearer(await add_session(engine, await add_user(engine, "Ada")))

    async with app.lifespan(), client_of(app) as client:
        answers = [await client.get(path, headers=mine) for path in ("/late", "/users/me")]
        nobody = await client.get("/late")

    assert [*(answer.status_code for answer in answers), nobody.status_code] == [403, 200, 401]
    with pytest.raises(TypeError, match=r"forgotten.* says who="):
        app.register(forgotten)


async def test_the_document_says_who_needs_a_token(
    closed_app: Litestar, remote: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    closed, local = [(await one.get("/schema/openapi.json")).json() for one in (remote, client)]

    def needs(document: dict[str, Any]) -> dict[str, Any]:
        return {
            f"{method.upper()} {path}": (operation.get("security"), "401" in operation["responses"])
            for path, item in document["paths"].items()
            for method, operation in item.items()
        }

    assert closed["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    must: list[dict[str, list[str]]] = [{"bearer": []}]
    for route, need in needs(closed).items():
        says = {"anyone": None, "sign_up": [{}, *must]}.get(served(closed_app)[route], must)
        assert need == (says, says is not None or route == "POST /sessions"), route
    by_oneself = {route for route, (security, _) in needs(local).items() if security == must}
    assert by_oneself == {route for route in CONTRACT if "/sessions" in route or route == "GET /users/me"} - {
        "POST /sessions"
    }


async def test_whoever_may_call_can_ask_what_a_path_takes(remote: httpx.AsyncClient) -> None:
    assert (await remote.options("/users")).status_code == 204
