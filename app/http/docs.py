"""Docs: the OpenAPI document and Swagger UI at `/schema`, everything from this host."""

from __future__ import annotations

import re
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from litestar import Controller, Request, Response, Router, get
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.params import FromPath

from app.http.dependencies import AnyRequest
from app.http.etags import header_value
from app.http.exception_handlers import to_problem
from app.http.media_types import MERGE_PATCH
from app.http.problem_details import problem_response

TITLE = "Users"
"""Of the document and of its page."""
VERSION = "0.1.0"
_DESCRIPTION = """\
Every error is an RFC 9457 problem: `detail` says what happened, `code` is for programs, `request_id` leads to the log.

A resource has an `ETag`. With `If-Match` a change is made to that version only, else 412; without it the last
writer wins. With `If-None-Match` an unchanged resource is 304 to a reader, and 412 to who would change it.

A list comes by page, with totals, or by cursor, which costs the same on the first and on the millionth row.
"""
_PAGE = Path(__file__).with_name("swagger.html")
_START = """\
SwaggerUIBundle({url: "/schema/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null});
"""
# Swagger UI sets styles of its own and has its icons in its style sheet.
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
_FILES = {
    "favicon-32x32.png": "image/png",
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}
_GENERIC_NAME = re.compile(rb"(Page|CursorPage)_app\.[\w.]+\.schemas\.(\w+?)_(?=\W)")


class _Document(JsonRenderPlugin):
    """The document as it is served, made once."""

    _rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._rendered is None:
            document = self.render_json(request, _corrected(openapi_schema)).replace(b"ProblemBody", b"Problem")
            self._rendered = _GENERIC_NAME.sub(rb"\2\1", document)
        return self._rendered


class _StaticText(OpenAPIRenderPlugin):
    """A text of ours beside the document."""

    def __init__(self, path: str, media_type: str, text: str) -> None:
        super().__init__(path=path, media_type=media_type)  # type: ignore[arg-type]
        self._text = text.encode()

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return self._text


def describe_api(*controllers: type[Controller]) -> OpenAPIConfig:
    """What Litestar is told about the document and its pages. A controller's docstring describes its tag."""
    return OpenAPIConfig(
        title=TITLE,
        version=VERSION,
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        tags=[Tag(tag, controller.__doc__) for controller in controllers for tag in vars(controller).get("tags", ())],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme("http", scheme="bearer", description="A token of POST /sessions")
            }
        ),
        openapi_router=Router(
            "/schema", route_handlers=[], include_in_schema=False, after_request=_secured, opt={"who": "anyone"}
        ),
        render_plugins=[
            _StaticText("/", MediaType.HTML, _PAGE.read_text().replace("$TITLE", TITLE)),
            _StaticText("/start.js", "text/javascript", _START),
            _Document(),
        ],
    )


def swagger_ui() -> HTTPRouteHandler:
    """The files of Swagger UI that the page needs. Raises: LookupError when they are not installed."""
    package = find_spec("flask_swagger_ui")
    if package is None or package.origin is None:
        raise LookupError("flask-swagger-ui is not installed")
    folder = Path(package.origin).with_name("dist")
    files = {name: (folder / name).read_bytes() for name in _FILES}
    tags = {name: f'"{blake2b(content, digest_size=16).hexdigest()}"' for name, content in files.items()}

    @get("/schema/assets/{name:str}", who="anyone", include_in_schema=False, after_request=_secured)
    async def asset(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        if name not in files:
            raise NotFoundException
        fresh = tags[name] in (header_value(request, b"if-none-match") or "")
        headers = {"Cache-Control": "max-age=86400", "ETag": tags[name]}
        content, status = (b"", 304) if fresh else (files[name], 200)
        return Response(content, status_code=status, media_type=_FILES[name], headers=headers)

    return asset


def _secured(response: Response[Any]) -> Response[Any]:
    """Let nothing be loaded from elsewhere, and have a problem where Litestar has a page of its own."""
    if response.status_code == 404:
        return problem_response(to_problem(NotFoundException()))
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def _corrected(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out the 400 that Litestar would give for a bad parameter: here it is a 422. Have the docstring as title.

    A change may come as a merge patch, too.
    """
    # A handler of several paths has them in a set, so that each start would give another order.
    document["paths"] = dict(sorted(document["paths"].items()))
    _say_widths(document)
    for path in document["paths"].values():
        for operation in path.values():
            operation["summary"] = operation.pop("description", operation["summary"]).split("\n")[0].rstrip(".")
            if (body := operation.get("requestBody", {}).get("content")) and operation is path.get("patch"):
                body[MERGE_PATCH] = body["application/json"]
            if "application/json" in operation["responses"].get("400", {}).get("content", {}):
                del operation["responses"]["400"]
    return document


def _say_widths(node: Any, name: str = "") -> None:
    """Have whole numbers without a maximum be of 64 bits: many a generated client would take 32."""
    if isinstance(node, list):
        for item in node:
            _say_widths(item)
    elif isinstance(node, dict):
        if node.get("type") == "integer" and "maximum" not in node and name != "status":
            node["format"] = "int64"
        for key, value in node.items():
            _say_widths(value, key)
