"""Rules: who may do what, one word beside each handler, as in `@get(who="administrator")`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from inspect import getdoc
from typing import Any, TypeAlias, cast

from litestar import Request
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from app.credentials.tokens import token_hash
from app.http.access import REFUSED
from app.http.openapi import problems
from app.problems import Forbidden, Missing, Unauthenticated
from app.repository import schemas
from app.validation.texts import is_whole_number

RULES = {
    "anyone": "Needs no token",
    "sign_up": "Needs no token, or an administrator's where SIGN_UP=admin",
    "signed_in": "Needs a token",
    "self": "Needs the token of the user in the path, or an administrator's",
    "administrator": "Needs an administrator's token",
}

Hook = Callable[[Request[Any, Any, Any]], Awaitable[Any]]
Find = Callable[[bytes], Awaitable[schemas.Caller | None]]
"""Whose token has this hash, as it is at this moment."""
Caller: TypeAlias = NamedDependency[schemas.Caller]
"""Whoever calls; needs a token whatever ACCESS says."""
Visitor: TypeAlias = NamedDependency[schemas.Caller | None]
"""Whoever calls, where there is a token."""


_BEARER: dict[str, list[str]] = {"bearer": []}
_ADMINISTRATORS = "This is for administrators"


class Gate:
    """Lets in whom the rules let in, and knows who that is."""

    def __init__(self, find: Find, *, sign_up: str) -> None:
        self._find = find
        self._sign_up = "sign_up" if sign_up == "open" else "administrator"

    def before(self, handler: HTTPRouteHandler) -> Hook | None:
        """What runs before a handler. A guard of the framework would copy the handler for each request."""
        then = hook_of(handler)
        rule = self.rule_of(handler)

        async def let_in(request: Request[Any, Any, Any]) -> Any:
            if (caller := await self.visitor(request)) is None:
                raise Unauthenticated
            if not caller.is_admin and rule != "signed_in":
                _check(rule, caller, request)
            return None if then is None else await then(request)

        return then if rule in ("anyone", "sign_up") else let_in

    def rule_of(self, handler: HTTPRouteHandler) -> str:
        return self._sign_up if handler.opt["who"] == "sign_up" else str(handler.opt["who"])

    async def caller(self, request: Request[Any, Any, Any]) -> schemas.Caller:
        """Raises: Unauthenticated."""
        if (caller := await self.visitor(request)) is None:
            raise Unauthenticated
        return caller

    async def visitor(self, request: Request[Any, Any, Any]) -> schemas.Caller | None:
        """Raises: Unauthenticated, where the token is not valid."""
        scope: Any = request.scope
        caller: schemas.Caller | None = scope.get("caller")
        if caller is None:
            scope["caller"] = None  # From here on the answer depends on who calls.
            # Two are one list, and no token.
            given = b", ".join([value for name, value in scope["headers"] if name == b"authorization"])
            scheme, _, token = given.partition(b" ")
            if scheme.lower() != b"bearer":
                return None
            hashed = token_hash(token.strip(b" "))
            caller = scope["caller"] = await self._find(hashed) if hashed else None
            if caller is None:
                raise Unauthenticated("The token is not valid", challenge='Bearer error="invalid_token"')
        return caller


def hook_of(handler: HTTPRouteHandler) -> Hook | None:
    """What runs before a handler: its own hook, else its controller's. The framework would keep the answer for ever."""
    hooks = [layer.before_request for layer in handler.ownership_layers if layer.before_request]
    return cast("Hook", hooks[-1]) if hooks else None


def _check(rule: str, caller: schemas.Caller, request: Request[Any, Any, Any]) -> None:
    """Raises: Forbidden, Missing."""
    if rule == "administrator":
        raise Forbidden(_ADMINISTRATORS)
    user_id = request.scope["path_params"]["user_id"]
    # Anything but a number is for the handler to refuse.
    if user_id != str(caller.id) and is_whole_number(user_id):
        raise Missing("User")


def caller_of(request: Request[Any, Any, Any]) -> schemas.Caller | None:
    """Whoever was asked for a token."""
    caller: schemas.Caller | None = cast("dict[str, Any]", request.scope).get("caller")
    return caller


def apply_rules(routes: Iterable[BaseRoute], gate: Gate | None, *, local: bool = False) -> None:
    """Have the gate see to the rules, and the document say who needs a token, and whom nothing would help.

    Handlers that it has seen before stay as they are. Raises: TypeError, without a rule.
    """
    for route in routes:
        if not isinstance(route, HTTPRoute):
            raise TypeError(f"{route.path} is no route that a rule can be said of")
        for handler in route.route_handlers:
            if "OPTIONS" in handler.http_methods or handler.opt.get("ruled"):
                continue
            rule = handler.opt.get("who")
            if rule not in RULES or (rule == "self" and "user_id" not in route.path_parameters):
                raise TypeError(f"{handler} of {route.path} says who={rule!r}; {RULES.get(str(rule), list(RULES))}")
            if gate is not None:
                rule, handler.before_request = gate.rule_of(handler), gate.before(handler)
            refusals = problems(Forbidden(REFUSED)) if local else {}
            if (gate is not None and rule != "anyone") or "caller" in handler.parsed_fn_signature.parameters:
                handler.security = [{}, _BEARER] if rule == "sign_up" else [_BEARER]
                handler.description = f"{getdoc(handler.fn)}\n\n{RULES[rule]}."
                for_administrators = gate is not None and rule == "administrator"
                refusals |= problems(401, 503, *([Forbidden(_ADMINISTRATORS)] if for_administrators else []))
            handler.responses = {**refusals, **(handler.responses or {})}
            handler.opt["ruled"] = True
