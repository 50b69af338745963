"""Rules: who may do what, one word beside each handler, as in `@get(who="administrator")`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from app.http.etags import header_value
from app.http.openapi import problems
from app.problems import Forbidden, Missing, Unauthenticated
from app.repository import schemas
from app.tokens import token_hash
from app.validation.texts import is_whole_number

RULES = {
    "anyone": "Needs no token",
    "sign_up": "Needs no token, or an administrator's where SIGN_UP=admin",
    "signed_in": "Needs a token",
    "self": "Needs the token of the user in the path, or an administrator's",
    "administrator": "Needs an administrator's token",
}

Find = Callable[[bytes], Awaitable[schemas.Caller | None]]
"""Whose token has this hash, as it is at this moment."""
Caller: TypeAlias = NamedDependency[schemas.Caller]
"""Whoever calls; needs a token whatever ACCESS says."""
Visitor: TypeAlias = NamedDependency[schemas.Caller | None]
"""Whoever calls, where there is a token."""


_BEARER: dict[str, list[str]] = {"bearer": []}


class Gate:
    """Lets in whom the rules let in, and knows who that is."""

    def __init__(self, find: Find, *, sign_up: str) -> None:
        self._find = find
        self._sign_up = "anyone" if sign_up == "open" else "administrator"

    async def guard(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Raises: Unauthenticated, Forbidden, Missing."""
        rule = handler.opt.get("who", "anyone")  # What the framework adds for OPTIONS has none.
        if (rule := self._sign_up if rule == "sign_up" else rule) == "anyone":
            return
        caller = await self.caller(cast("Request[Any, Any, Any]", connection))
        if caller.is_admin or rule == "signed_in":
            return
        if rule == "administrator":
            raise Forbidden("This is for administrators")
        # Anything but a number is for the handler to refuse.
        user_id = connection.path_params["user_id"]
        if is_whole_number(user_id) and user_id != str(caller.id):
            raise Missing("User")

    async def caller(self, request: Request[Any, Any, Any]) -> schemas.Caller:
        """Raises: Unauthenticated."""
        if (caller := await self.visitor(request)) is None:
            raise Unauthenticated
        return caller

    async def visitor(self, request: Request[Any, Any, Any]) -> schemas.Caller | None:
        """Raises: Unauthenticated, where the token is not valid."""
        scope = cast("dict[str, Any]", request.scope)
        if scope.get("caller") is None:
            scope["caller"] = await self._authenticate(request)
        return caller_of(request)

    async def _authenticate(self, request: Request[Any, Any, Any]) -> schemas.Caller | None:
        scope = cast("dict[str, Any]", request.scope)
        scope["caller"] = None  # From here on the answer depends on who calls.
        scheme, _, token = (header_value(request, b"authorization") or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        hashed = token_hash(token.strip())
        caller = await self._find(hashed) if hashed else None
        if caller is None:
            raise Unauthenticated("The token is not valid", challenge='Bearer error="invalid_token"')
        return caller


def caller_of(request: Request[Any, Any, Any]) -> schemas.Caller | None:
    """Whoever was asked for a token."""
    caller: schemas.Caller | None = cast("dict[str, Any]", request.scope).get("caller")
    return caller


def apply_rules(routes: Iterable[BaseRoute], *, enforced: bool) -> None:
    """Say in the document who needs a token. Raises: TypeError, for a route without a rule."""
    for route in routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if "OPTIONS" in handler.http_methods:
                continue
            if (rule := handler.opt.get("who")) not in RULES:
                raise TypeError(f"{handler} of {route.path} says who={rule!r}, not one of {', '.join(RULES)}")
            if rule == "self" and "user_id" not in route.path_parameters:
                raise TypeError(f"{handler} of {route.path} says who='self', but has no user_id")
            if (enforced and rule != "anyone") or "caller" in handler.parsed_fn_signature.parameters:
                handler.security = [{}, _BEARER] if rule == "sign_up" else [_BEARER]
                handler.responses = {**problems(401), **(handler.responses or {})}
