"""Document: what OpenAPI says of the service, made of what Litestar knows and what the Structs say."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app.http.dependencies import AnyRequest
from app.http.media_types import MERGE_PATCH

_GENERIC_NAME = re.compile(rb"(Page|CursorPage)_app\.[\w.]+\.schemas\.(\w+?)_(?=\W)")


def render_document(request: AnyRequest, described: dict[str, Any]) -> bytes:
    """The document as it is served below the root path of a request."""
    document = {**_corrected(described), "servers": [{"url": request.scope["root_path"] or "/"}]}
    rendered = msgspec.json.encode(document).replace(b"ProblemBody", b"Problem")
    return _GENERIC_NAME.sub(rb"\2\1", rendered)


def _corrected(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out the 400 that Litestar would give for a bad parameter: here it is a 422. Have the docstring as title.

    A change may come as a merge patch, too.
    """
    # A handler of several paths has them in a set, so that each start would give another order.
    document["paths"] = dict(sorted(document["paths"].items()))
    _say_widths(document)
    for path in document["paths"].values():
        for operation in path.values():
            operation["summary"] = operation.get("description", operation["summary"]).split("\n")[0].rstrip(".")
            if (body := operation.get("requestBody", {}).get("content")) and operation is path.get("patch"):
                body[MERGE_PATCH] = body["application/json"]
            if "application/json" in operation["responses"].get("400", {}).get("content", {}):
                del operation["responses"]["400"]
    return document


def _say_widths(node: Any, name: str = "") -> None:
    """Have whole numbers without a small maximum be of 64 bits: many a generated client would take 32."""
    if isinstance(node, list):
        for item in node:
            _say_widths(item)
    elif isinstance(node, dict):
        if node.get("type") == "integer" and node.get("maximum", 2**63) >= 2**31 and name != "status":
            node["format"] = "int64"
        for key, value in node.items():
            _say_widths(value, key)
