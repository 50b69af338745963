"""Service: Litestar behind the middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, ControllerRouterHandler, HTTPScope, Message, Receive, Scope, Send
from litestar.types.internal_types import RouteHandlerMapItem


class UserService(Litestar):
    handle_request: Callable[[ASGIApp, HTTPScope, Receive, Send], Awaitable[None]]
    _words: tuple[Callable[[Iterable[BaseRoute]], None], ...] = ()

    def get_route_handler_map(self, value: Any) -> dict[str, RouteHandlerMapItem]:  # type: ignore[override]
        """Without the OPTIONS that a controller's first handler brought along, which knows no other's methods."""
        routes = super().get_route_handler_map(value)
        return {
            path: {way: handler for way, handler in ways.items() if way != "OPTIONS"} for path, ways in routes.items()
        }

    def register(self, value: ControllerRouterHandler) -> None:  # type: ignore[override]
        """Have OPTIONS name HEAD, too, which the middleware answers. Raises: TypeError, without a rule."""
        super().register(value)
        for route in self.routes:
            if isinstance(route, HTTPRoute) and "GET" in route.methods:
                route.methods.add("HEAD")
        self.apply_words(*self._words)

    def apply_words(self, *words: Callable[[Iterable[BaseRoute]], None]) -> None:
        """Give handlers what the words beside them say; those that come later, too. Raises: TypeError."""
        self._words = words
        for apply in words:
            apply(self.routes)

    def leave(self) -> None:
        """Have each connection end with its next answer: a request that is sent as it is being closed would be lost."""
        handle = self.handle_request

        async def handle_last(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
            def send_last(message: Message) -> Awaitable[None]:
                if message["type"] == "http.response.start" and scope["http_version"] != "2":
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
                return send(message)

            await handle(app, scope, receive, send_last)

        self.handle_request = handle_last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        if scope["type"] == ScopeType.HTTP:
            await self.handle_request(super().__call__, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
