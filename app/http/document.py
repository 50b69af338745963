"""Document: what OpenAPI says of the service, made of what Litestar knows and what the Structs say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any, get_args, get_origin

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.http.dependencies import AnyRequest
from app.http.examples import example, known_examples, problem_example
from app.http.media_types import MERGE_PATCH
from app.http.openapi import say_patterns
from app.http.problem_details import PROBLEM_JSON, ProblemBody
from app.problems import title
from app.repository.schemas import Item

_NAMES = re.compile(rb"(Page|CursorPage)_(?:app\.[\w.]+\.schemas\.)?(\w+?)_(?=\W)|(Problem)Body")
_HEADERS = {
    "ETag": ("The version, for `If-Match` and `If-None-Match`", {"type": "string"}, '"1764061200000000"'),
    "Location": ("The path of what was created", {"type": "string", "format": "uri-reference"}, "/users/1"),
    "Link": ("The neighbours of this page (RFC 8288)", {"type": "string"}, '</users?page=2>; rel="next"'),
    "Idempotency-Replayed": ("This was answered before", {"type": "string", "const": "true"}, "true"),
    "Retry-After": ("Seconds after which to ask again", {"type": "integer", "minimum": 1}, 1),
    "RateLimit": ("What is left, and in how many seconds there is more", {"type": "string"}, '"network";r=0;t=60'),
    "RateLimit-Policy": ("How many in how many seconds", {"type": "string"}, '"network";q=10;w=600'),
    "WWW-Authenticate": ("`Bearer`, with `error` where a token came that is not valid", {"type": "string"}, "Bearer"),
}
_OF_STATUS = {
    "304": {"ETag"},
    "401": {"WWW-Authenticate"},
    "429": {"RateLimit", "RateLimit-Policy", "Retry-After"},
    "503": {"Retry-After"},
}
_USUAL = {
    "get": "With `If-None-Match` a version that the client has is 304.",
    "patch": "What is left out stays. With `If-Match` only that version is changed, else it is 412.",
    "delete": "With `If-Match` only that version is deleted, else it is 412. What is gone is 404.",
    "post": "The answer is what was stored. A field that is unknown is 422.",
    "bulk": "All or none: the first that is in the way is named by its place, as `/17/name`.",
    "list": "By page, with totals, or by cursor, which each page names for the next. An unknown parameter is 422.",
}
"""What holds for every resource."""


def name_operation(handler: HTTPRouteHandler, _method: Any, path: list[Any]) -> str:
    """The id of an operation, such as `users_create`: short, and the same whatever else there is."""
    parts = [part for part in path if isinstance(part, str)]
    if len(handler.paths) > 1:
        return "_".join(parts)
    noun = parts[0].replace("-", "_")
    return f"{noun}_{handler.fn.__name__.removesuffix(f'_{noun}')}"


def render_document(request: AnyRequest, described: dict[str, Any]) -> bytes:
    """The document as it is served below the root path of a request."""
    described = deepcopy(described)  # Another way to ask needs it as it was.
    # A handler of several paths has them in a set, so that each start would give another order.
    paths = dict(sorted(described["paths"].items()))
    schemas = _schemas(request.app.routes)
    known = known_examples(schemas)
    for path in paths.values():
        for method, operation in path.items():
            _describe(operation, schemas, known, method=method)
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
    """Those that an annotation is made of, and those inside of them."""
    origin = get_origin(annotation) or annotation
    inside = [*get_args(annotation)]
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        yield annotation
        inside += [field.type for field in msgspec.structs.fields(origin)]
    for one in inside:
        yield from _structs(one)


def _describe(operation: dict[str, Any], schemas: dict[str, Any], known: dict[str, Any], *, method: str) -> None:
    """Have the docstring's first line as title; leave out the 400 of Litestar for a bad parameter, here a 422."""
    line, _, rest = operation.get("description", operation["summary"]).partition("\n")
    parameters = {one["name"] for one in operation.get("parameters", ())}
    answers = operation["responses"]
    made = _made(answers.get("201", {}))
    usual = "list" if "size" in parameters else "bulk" if "BulkCreated" in str(answers.get("201")) else method
    usual = usual if usual != method or made or "If-Match" in parameters else ""
    said = filter(None, (_USUAL.get(usual, ""), rest.strip()))
    operation |= {"summary": line.rstrip("."), "description": "\n\n".join(said)}
    if (body := operation.get("requestBody", {}).get("content")) and method == "patch":
        body[MERGE_PATCH] = body["application/json"]
    if "application/json" in answers.get("400", {}).get("content", {}):
        del answers["400"]
    for status, answer in answers.items():
        headers = {*_OF_STATUS.get(status, ())}
        if "Idempotency-Key" in parameters:
            headers |= {"201": {"Idempotency-Replayed"}, "409": {"Retry-After"}}.get(status, set())
        if status in ("200", "201", "204"):
            answer["description"] = title(int(status))
            headers |= (
                {"Link"} if usual == "list" else {"ETag"} if status == "200" and "If-Match" in parameters else set()
            )
            headers |= {"ETag", "Location"} if made else set()
        for kind, shown in (answer.get("content") or {}).items():
            own = [one["value"] for one in shown.pop("examples", {}).values()]
            if kind == PROBLEM_JSON:
                shown["example"] = own[0] if own else problem_example(int(status), operation, schemas)
            elif kind == "application/json":
                shown["example"] = example(shown["schema"], schemas, known)
        if headers:
            answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(headers)}


def _made(answer: dict[str, Any]) -> bool:
    """Whether an answer is an item, which has a place and a version."""
    names = re.findall(r"schemas/(\w+)", str(answer))
    return bool({*names} & {item.__name__ for item in Item.__subclasses__()})


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
