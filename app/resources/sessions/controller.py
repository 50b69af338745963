"""Sessions: the HTTP face."""

from __future__ import annotations

import re

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.http.dependencies import AnyRequest, Transaction
from app.http.etags import header_value
from app.http.openapi import problems
from app.http.path_parameters import RowId
from app.http.responses import NO_STORE, PRIVATE, JsonResponse
from app.http.rules import Caller
from app.http.throttling import Throttling
from app.problems import Unauthenticated
from app.repository.throttles import know_network
from app.resources.sessions import repository
from app.resources.sessions.repository import WRONG, end
from app.resources.sessions.schemas import Sessions, SignedIn, SignIn

_unprintable = re.compile(r"[^ -~]+")


class SessionController(Controller):
    """Signing in and out"""

    path = "/sessions"
    tags = ["Sessions"]

    @post(who="anyone", responses=problems(Unauthenticated(WRONG), 413, 415, 422, 429, 503))
    async def create(
        self,
        request: AnyRequest,
        data: JSONBody[SignIn],
        sessions: NamedDependency[repository.Sessions],
        throttling: NamedDependency[Throttling],
        transaction: Transaction,
    ) -> JsonResponse[SignedIn]:
        """Sign in.

        The token is shown this once. An unknown address, a wrong password and a deactivated account are the same 401.
        """
        async with throttling.attempt(request, email=data.email) as attempt:
            account = await sessions.verified(data)
        user_agent = _unprintable.sub(" ", header_value(request, b"user-agent") or "")[:200]
        signed_in = await sessions.begin(transaction, account, data, user_agent)
        await know_network(transaction, signed_in.user.id, attempt.network)
        return JsonResponse(signed_in, status_code=201, headers=(NO_STORE,))

    @get(who="signed_in", responses=problems(503))
    async def list_sessions(
        self, caller: Caller, sessions: NamedDependency[repository.Sessions]
    ) -> JsonResponse[Sessions]:
        """List your sessions.

        Those that have neither ended nor expired; `current` is the one that asks.
        """
        return JsonResponse(Sessions(await sessions.of(caller.id, caller.session_id)), headers=(PRIVATE,))

    @delete("/current", who="signed_in", responses=problems(503))
    async def end_current(self, caller: Caller, transaction: Transaction) -> None:
        """Sign out.

        The token that asks is not valid from the next request on.
        """
        await end(transaction, caller.id, caller.session_id)

    @delete("/{session_id:str}", who="signed_in", responses=problems(404, 422, 503))
    async def end_one(self, caller: Caller, session_id: RowId, transaction: Transaction) -> None:
        """End one of your sessions.

        Its token is not valid from the next request on. Somebody else's is 404.
        """
        await end(transaction, caller.id, session_id)

    @delete(who="signed_in", responses=problems(503))
    async def end_all(self, caller: Caller, transaction: Transaction) -> None:
        """Sign out everywhere.

        All of your sessions end, the one that asks as well.
        """
        await end(transaction, caller.id)
