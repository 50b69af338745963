"""Document: what OpenAPI says of the service, made of what Litestar knows and what the Structs say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.http.dependencies import AnyRequest
from app.http.examples import example, known_examples, problem_example
from app.http.media_types import MERGE_PATCH
from app.http.openapi import say_patterns
from app.http.problem_details import PROBLEM_JSON, ProblemBody
from app.repository.schemas import Item

_NAMES = re.compile(rb"(Page|CursorPage)_(?:app\.[\w.]+\.schemas\.)?(\w+?)_(?=\W)|(Problem)Body")
_HEADERS = {
    "ETag": ("The version, for `If-Match` and `If-None-Match`", {"type": "string"}, '"1764061200000000"'),
    "Location": ("The path of what was created", {"type": "string", "format": "uri-reference"}, "/users/1"),
    "Link": ("The neighbours of this page (RFC 8288)", {"type": "string"}, '</users?page=2>; rel="next"'),
    "Idempotency-Replayed": ("This was answered before", {"type": "string", "const": "true"}, "true"),
    "Retry-After": ("Seconds after which to ask again", {"type": "integer", "minimum": 1}, 1),
}


def name_operation(handler: HTTPRouteHandler, _method: Any, path: list[Any]) -> str:
    """The id of an operation, such as `users_create`: short, and the same whatever else there is."""
    parts = [part for part in path if isinstance(part, str)]
    if len(handler.paths) > 1:
        return "_".join(parts)
    noun = parts[0].replace("-", "_")
    return f"{noun}_{handler.fn.__name__.removesuffix(f'_{noun}')}"


def render_document(request: AnyRequest, described: dict[str, Any]) -> bytes:
    """The document as it is served below the root path of a request."""
    # A handler of several paths has them in a set, so that each start would give another order.
    paths = dict(sorted(described["paths"].items()))
    schemas = _schemas(request.app.routes)
    known = known_examples(schemas)
    for path in paths.values():
        for method, operation in path.items():
            _describe(operation, schemas, known, is_change=method == "patch")
    headers = {
        name: {"description": said, "schema": schema, "example": one} for name, (said, schema, one) in _HEADERS.items()
    }
    document = {
        **described,
        "servers": [{"url": request.scope["root_path"] or "/"}],
        "security": described.get("security", []),
        "paths": paths,
        "components": {**described["components"], "schemas": schemas, "headers": headers},
    }
    _say_widths(document)
    return _NAMES.sub(rb"\2\1\3", msgspec.json.encode(document))


def _schemas(routes: Iterable[Any]) -> dict[str, Any]:
    """The schema of each Struct that a body or an answer is, with all that its checks know."""
    handlers = [one for route in routes if isinstance(route, HTTPRoute) for one in route.route_handlers]
    shown = [one for one in handlers if one.resolve_include_in_schema()]
    fields = [field for one in shown for field in (one.parsed_data_field, one.parsed_return_field) if field]
    structs = {ProblemBody, *(struct for field in fields for struct in _structs(field.annotation))}
    ordered = sorted(structs, key=str)
    components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")[1]
    for schema in components.values():
        schema.pop("description", None)  # A docstring is for who reads the code.
    for struct in ordered:
        if struct.__name__ in components:
            say_patterns(struct, components[struct.__name__]["properties"])
    return dict(sorted(components.items()))


def _structs(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        yield annotation
    else:
        for argument in get_args(annotation):
            yield from _structs(argument)


def _describe(operation: dict[str, Any], schemas: dict[str, Any], known: dict[str, Any], *, is_change: bool) -> None:
    """Have the docstring's first line as title; leave out the 400 of Litestar for a bad parameter, here a 422."""
    title, _, rest = operation.get("description", operation["summary"]).partition("\n")
    operation |= {"summary": title.rstrip("."), "description": rest.strip() or title}
    if (body := operation.get("requestBody", {}).get("content")) and is_change:
        body[MERGE_PATCH] = body["application/json"]
    if "application/json" in operation["responses"].get("400", {}).get("content", {}):
        del operation["responses"]["400"]
    for status, answer in operation["responses"].items():
        content = answer.get("content") or {}
        if PROBLEM_JSON in content:
            content[PROBLEM_JSON]["example"] = problem_example(int(status), operation, schemas)
        names = set()
        if (shown := content.get("application/json")) and "schema" in shown:
            # Litestar's and msgspec's names of generic types differ.
            names = set(re.findall(r"schemas/(?:\w+_app\.\S*?schemas\.)?(\w+)", str(shown["schema"])))
            shown["example"] = example(shown["schema"], schemas, known)
        is_repeatable = any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", ()))
        headers = (
            {"Retry-After"}
            if status == "503" or (status == "409" and is_repeatable)
            else {"ETag"}
            if status == "304"
            else set()
        )
        if "Page_" in str(content):
            headers.add("Link")
        elif status == "200" and any(one["name"] == "If-Match" for one in operation.get("parameters", ())):
            headers.add("ETag")
        elif status == "201" and names & {item.__name__ for item in Item.__subclasses__()}:
            headers |= {"ETag", "Location"}
        if status == "201" and is_repeatable:
            headers.add("Idempotency-Replayed")
        if headers:
            answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(headers)}


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
