"""OpenAPI: what the framework cannot see, problems and query Structs, said in the document too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation, Parameter, Reference, Schema
from litestar.openapi.spec.enums import OpenAPIType

from app.http.problem_details import PROBLEM_JSON, ProblemBody
from app.problems import title
from app.repository.schemas import ListQuery


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """Describe the problems that an operation may answer, besides those that every operation may."""
    return {
        status: ResponseSpec(
            ProblemBody,
            generate_examples=False,
            media_type=PROBLEM_JSON,
            description=title(status),
        )
        for status in (*statuses, 403, 500)
    }


def listed_by(query: type[ListQuery]) -> type[Operation]:
    """Make an operation that documents the fields of `query` as query parameters."""

    @dataclass
    class ListOperation(Operation):
        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or []), *query_parameters(query)]

    return ListOperation


@dataclass
class ConditionalRead(Operation):
    """An operation that answers 304 where the client has the version already."""

    def __post_init__(self) -> None:
        self.parameters = _with_tag(self, "If-None-Match", "Answer 304 if this is still the version (an ETag)")


@dataclass
class ConditionalChange(Operation):
    """An operation that changes a certain version only, if the client names one."""

    def __post_init__(self) -> None:
        self.parameters = _with_tag(self, "If-Match", "Change only this version (an ETag)")


def _with_tag(operation: Operation, header: str, description: str) -> list[Parameter | Reference]:
    tag = Parameter(name=header, param_in="header", schema=Schema(type=OpenAPIType.STRING), description=description)
    return [*(operation.parameters or []), tag]


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
