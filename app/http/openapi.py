"""OpenAPI: what the framework cannot see, problems and query Structs, said in the document too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType

from app.http.problem_details import PROBLEM_JSON, ProblemBody
from app.problems import title
from app.repository.schemas import ListQuery


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """Describe the problems that an operation may answer, besides those that every operation may."""
    return {
        status: ResponseSpec(ProblemBody, generate_examples=False, media_type=PROBLEM_JSON, description=title(status))
        for status in (*statuses, 403, 500)
    }


def _with_parameters(*added: Parameter) -> type[Operation]:
    @dataclass
    class Documented(Operation):
        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or []), *added]

    return Documented


def _conditional(none_match: str, match: str) -> type[Operation]:
    schema = Schema(type=OpenAPIType.STRING)
    headers = {"If-None-Match": none_match, "If-Match": match}
    return _with_parameters(
        *(Parameter(name=name, param_in="header", schema=schema, description=said) for name, said in headers.items())
    )


def listed_by(query: type[ListQuery]) -> type[Operation]:
    """Make an operation that documents the fields of `query` as query parameters."""
    return _with_parameters(*query_parameters(query))


ConditionalRead = _conditional(
    "Answer 304 if this is still the version (an ETag)", "Answer only with this version (an ETag)"
)
ConditionalChange = _conditional("Change anything but this version (an ETag)", "Change only this version (an ETag)")
NOT_MODIFIED = {304: ResponseSpec(None, description="The client has this version")}


def query_parameters(query: type[ListQuery]) -> list[Parameter]:
    """Describe a query Struct, field by field, each with the description of its `Meta`."""
    components = msgspec.json.schema_components([query])[1]
    return [
        Parameter(
            name=name,
            param_in="query",
            required=False,
            schema=_schema(schema, components),
            description=schema.get("description"),
        )
        for name, schema in components[query.__name__]["properties"].items()
    ]


_FORMATS = ("date-time", "date", "time", "duration", "uuid", "decimal")
_NAMES = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "enum": "enum",
    "default": "default",
}


def _schema(described: dict[str, Any], components: dict[str, Any]) -> Schema:
    if name := described.get("$ref"):
        return _schema(components[name.rpartition("/")[2]], components)
    if choices := described.get("anyOf"):
        return Schema(any_of=[_schema(choice, components) for choice in choices])
    said = {ours: described[theirs] for theirs, ours in _NAMES.items() if theirs in described}
    kind = OpenAPIType(described["type"]) if "type" in described else None
    return Schema(type=kind, format=described["format"] if described.get("format") in _FORMATS else None, **said)
