"""Docs: the OpenAPI document and Swagger UI at `/schema`, everything from this host."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from litestar import Controller, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Tag
from litestar.params import FromPath

from app.http.dependencies import AnyRequest
from app.http.document import name_operation, render_document
from app.http.etags import is_not_modified
from app.http.exception_handlers import to_problem
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
_PAGE = Path(__file__).with_name("swagger.html").read_text().replace("$TITLE", TITLE)
_START = b"""\
const url = new URL("openapi.json", document.currentScript.src).href;
SwaggerUIBundle({url, dom_id: "#docs", deepLinking: true, validatorUrl: null});
"""
# Swagger UI sets styles of its own and has its icons in its style sheet.
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
_FILES = {
    "favicon-32x32.png": "image/png",
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}


class _File:
    """Bytes that a browser keeps, under a tag of their content."""

    def __init__(self, content: bytes, media_type: str, caching: str) -> None:
        self._content = content
        self._media_type = media_type
        self._tag = blake2b(content, digest_size=16).hexdigest()
        self._headers = {"Cache-Control": caching, "ETag": f'"{self._tag}"'}

    def answer(self, request: AnyRequest) -> Response[bytes]:
        """Raises: PreconditionFailed."""
        content, status = (b"", 304) if is_not_modified(request, self._tag) else (self._content, 200)
        return Response(content, status_code=status, media_type=self._media_type, headers=self._headers)


class _Rendered(OpenAPIRenderPlugin):
    """What is made of a request, once for each way to ask, and has to be asked for anew each time."""

    def __init__(self, path: str, media_type: str, make: Callable[[AnyRequest, dict[str, Any]], bytes]) -> None:
        super().__init__(path=path, media_type=media_type)  # type: ignore[arg-type]
        self._make = make
        self._made: dict[tuple[str, bool], _File] = {}

    def render(self, request: AnyRequest, openapi_schema: dict[str, Any]) -> Any:
        """Raises: PreconditionFailed."""
        way = request.scope["root_path"], _ends_in_slash(request)
        if way not in self._made:
            self._made[way] = _File(self._make(request, openapi_schema), str(self.media_type), "no-cache")
        return self._made[way].answer(request)


def describe_api(*controllers: type[Controller]) -> OpenAPIConfig:
    """What Litestar is told about the document and its pages. A controller's docstring describes its tag."""
    return OpenAPIConfig(
        title=TITLE,
        version=VERSION,
        description=_DESCRIPTION,
        contact=Contact(name="Whoever runs this service"),
        license=License(name="MIT", identifier="MIT"),
        operation_id_creator=name_operation,
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
            _Rendered("/", "text/html", _page),
            _Rendered("/start.js", "text/javascript", lambda *_: _START),
            _Rendered("/openapi.json", "application/vnd.oai.openapi+json", render_document),
        ],
    )


def swagger_ui() -> HTTPRouteHandler:
    """The files of Swagger UI that the page needs. Raises: LookupError when they are not installed."""
    package = find_spec("flask_swagger_ui")
    if package is None or package.origin is None:
        raise LookupError("flask-swagger-ui is not installed")
    folder = Path(package.origin).with_name("dist")
    files = {name: _File((folder / name).read_bytes(), kind, "max-age=86400") for name, kind in _FILES.items()}

    @get("/schema/assets/{name:str}", who="anyone", include_in_schema=False, after_request=_secured)
    async def asset(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        if name not in files:
            raise NotFoundException
        return files[name].answer(request)

    return asset


def _page(request: AnyRequest, _: dict[str, Any]) -> bytes:
    """It names what it loads by where it is itself, whatever a proxy calls that."""
    return _PAGE.replace("$HERE", "" if _ends_in_slash(request) else "schema/").encode()


def _ends_in_slash(request: AnyRequest) -> bool:
    return request.scope["raw_path"].endswith(b"/")


def _secured(response: Response[Any]) -> Response[Any]:
    """Let nothing be loaded from elsewhere, and have a problem where Litestar has a page of its own."""
    if response.status_code == 404:
        return problem_response(to_problem(NotFoundException()))
    response.headers["Content-Security-Policy"] = _POLICY
    return response
