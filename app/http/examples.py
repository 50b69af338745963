"""Examples: what an answer looks like, of the examples that the named types have, and of the problems themselves."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from app.http.access import REFUSED
from app.http.problem_details import problem_body
from app.problems import (
    Conflict,
    EmailTaken,
    FieldError,
    Forbidden,
    Invalid,
    Malformed,
    Missing,
    PreconditionFailed,
    Problem,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)

_OF_TYPE: dict[str, Any] = {
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "time": "12:00:00",
    "uuid": "01a1fca5-4e1e-7c3b-a1c9-6f4a3c5be7d2",
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
    """The problem that an operation answers with a status, as it would be."""
    body = re.findall(r"schemas/(\w+)", str(operation.get("requestBody")))
    fields = schemas[body[0]]["properties"] if body else {}
    parameter = next((one["name"] for one in operation.get("parameters", ()) if one["name"] != "size"), "id")
    wrong = FieldError("at least 1 character", pointer=f"/{next(iter(fields), '')}")
    if not body:
        is_path = any(one["in"] == "path" for one in operation.get("parameters", ()))
        wrong = FieldError("must be a whole number", parameter=parameter if is_path else "size")
    problems = {
        400: Malformed(),
        403: Forbidden(REFUSED),
        404: Missing(operation["tags"][0].removesuffix("s")),
        409: EmailTaken() if "email" in fields else Conflict(),
        412: PreconditionFailed(),
        413: TooLarge(),
        415: UnsupportedMediaType(),
        422: Invalid([wrong]),
        503: Unavailable(),
    }
    return msgspec.to_builtins(problem_body(problems.get(status, Problem()), _OF_TYPE["uuid"]))
