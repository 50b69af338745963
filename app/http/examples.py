"""Examples: what an answer looks like, of the examples that the named types have, and of the problems themselves."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app.http.etags import no_tag
from app.http.openapi import REQUEST_ID
from app.http.problem_details import problem_body
from app.problems import (
    Conflict,
    EmailTaken,
    FieldError,
    Invalid,
    Malformed,
    Missing,
    PreconditionFailed,
    Problem,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from app.repository.throttles import RateLimited

_OF_TYPE: dict[str, Any] = {
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "time": "12:00:00",
    "uuid": REQUEST_ID,
}
_OF_NAME: dict[str, Any] = {"size": 20, "next_cursor": None, "created": 2}


def known_examples(schemas: dict[str, Any]) -> dict[str, Any]:
    """The examples of fields by their names: what an answer says has no constraints, and so no named type."""
    found = [
        (name, field["examples"][0])
        for schema in schemas.values()
        for name, field in schema.get("properties", {}).items()
        if "examples" in field
    ]
    return {**dict(reversed(found)), **_OF_NAME}


def example(schema: dict[str, Any], schemas: dict[str, Any], known: dict[str, Any]) -> Any:
    """An example of what a schema describes."""
    if "$ref" in schema:
        # Litestar writes where the type of a generic is, msgspec does not.
        name = re.sub(r"app\.[\w.]+\.schemas\.", "", schema["$ref"].rpartition("/")[2])
        return example(schemas[name], schemas, known)
    if choices := schema.get("oneOf") or schema.get("anyOf"):
        return example(choices[0], schemas, known)
    for key in ("examples", "enum"):
        if key in schema:
            return schema[key][0]
    if "properties" in schema:
        fields = schema["properties"].items()
        return {name: known[name] if name in known else example(one, schemas, known) for name, one in fields}
    if "items" in schema:
        return [example(schema["items"], schemas, known)]
    return schema.get("default", _OF_TYPE.get(schema.get("format", ""), _OF_TYPE.get(schema.get("type", ""), "text")))


def problem_example(status: int, operation: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """The problem that an operation usually answers with a status, as it would be."""
    parameters = {one["name"]: one["in"] for one in operation.get("parameters", ())}
    inside = next((name for name, where in parameters.items() if where == "path"), "")
    body = str(operation.get("requestBody"))
    schema: dict[str, Any] = next((schemas[name] for name in re.findall(r"schemas/(\w+)", body)), {})
    malformed = Malformed("There is more than one Host")
    if schema or "If-Match" in parameters:
        malformed = Malformed() if schema else no_tag("If-Match")
    elif "size" in parameters:
        malformed = Malformed("The query is not valid UTF-8")
    wrong = FieldError("must be a whole number", parameter=inside or "size")
    if schema:
        first = next(iter(schema["required"]), None)
        pointer = f"/{first or 'nickname'}" if "'array'" not in body else f"/0/{first}"
        wrong = FieldError("required" if first else "unknown", pointer=pointer)
    problems = {
        400: malformed,
        401: Unauthenticated(),
        404: Missing(inside.removesuffix("_id").capitalize()),
        408: TooSlow(),
        409: EmailTaken() if "email" in schema.get("properties", {}) else Conflict(),
        412: PreconditionFailed(),
        413: TooLarge(),
        415: UnsupportedMediaType(),
        422: Invalid([wrong]),
        429: RateLimited("network", 60, 10, 60),
        503: Unavailable(),
    }
    return msgspec.to_builtins(problem_body(problems.get(status, Problem()), REQUEST_ID))
