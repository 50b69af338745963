"""Mounting: below which path the service is, as its clients see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from litestar.types import HTTPScope


def mount(scope: HTTPScope, prefix: str) -> None:
    """Put what a proxy has taken off before the path that the server mounts the service on.

    Who asks the server itself, as a health check does, may leave out the latter.
    """
    root = "/".join(["", *filter(None, scope["root_path"].split("/"))])
    path = scope["path"]
    if path.startswith(f"{root}/") or path == root:
        path = path.removeprefix(root)
    scope["root_path"] = prefix + root
    # The framework looks for the root path wherever it is in the path, which therefore has to begin with it.
    scope["path"] = scope["root_path"] + path


def public(scope: Any, path: str) -> str:
    """A path of ours as a client has to ask for it."""
    return f"{quote(root)}{path}" if (root := scope["root_path"]) else path
