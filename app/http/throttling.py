"""Throttling: attempts at passwords are counted before they cost anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncEngine

from app.http.client_address import ClientAddress
from app.problems import Unavailable
from app.repository.limits import SIGN_IN, SIGN_UP, Attempt
from app.repository.throttles import Throttle
from app.settings import Settings


class Throttling:
    """Counts sign-ups where strangers may sign up, and whatever tells whether a password is right."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._client = ClientAddress(settings.trusted_proxies)
        self._sign_in = Throttle(engine, SIGN_IN) if settings.throttle else None
        by_strangers = settings.access == "token" and settings.sign_up == "open"
        self._sign_up = Throttle(engine, SIGN_UP) if settings.throttle and by_strangers else None

    @asynccontextmanager
    async def sign_up(self, request: Request[Any, Any, Any]) -> AsyncIterator[None]:
        """Count a sign-up, unless the work within is turned away; `give_back` of the scope forgets it.

        Raises: RateLimited.
        """
        scope = cast("dict[str, Any]", request.scope)
        if self._sign_up is not None:
            attempt = Attempt(self._client.network(request))
            await self._sign_up.charge(attempt)
            scope["give_back"] = partial(self._sign_up.give_back, attempt)
        try:
            yield
        except Unavailable:
            if give_back := scope.pop("give_back", None):
                await give_back()
            raise

    @asynccontextmanager
    async def attempt(
        self, request: Request[Any, Any, Any], *, email: str | None = None, user_id: int | None = None
    ) -> AsyncIterator[Attempt]:
        """Count an attempt at the password of an account, unless the work within succeeds, as whoever knows it did not
        guess, or is turned away before it tells. Raises: RateLimited."""
        attempt = Attempt(self._client.network(request), email, user_id)
        if self._sign_in is not None:
            await self._sign_in.charge(attempt)
        try:
            yield attempt
        except Unavailable:
            await self._forget(attempt)
            raise
        await self._forget(attempt)

    async def _forget(self, attempt: Attempt) -> None:
        if self._sign_in is not None:
            await self._sign_in.give_back(attempt)
