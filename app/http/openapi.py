"""OpenAPI: what the framework cannot see, problems and query Structs, said in the document too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

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

    none_match = "Answer 304 if this is still the version (an ETag)"
    match = "Answer only with this version (an ETag)"

    def __post_init__(self) -> None:
        tags = {"If-None-Match": self.none_match, "If-Match": self.match}
        self.parameters = [*(self.parameters or []), *(_tag(name, said) for name, said in tags.items())]


@dataclass
class ConditionalChange(ConditionalRead):
    """An operation that changes a certain version only, if the client names one."""

    none_match = "Change anything but this version (an ETag)"
    match = "Change only this version (an ETag)"


def _tag(name: str, description: str) -> Parameter:
    return Parameter(name=name, param_in="header", schema=Schema(type=OpenAPIType.STRING), description=description)


NOT_MODIFIED = {304: ResponseSpec(None, description="The client has this version")}


def query_parameters(query: type[ListQuery]) -> list[Parameter]:
    """Describe a query Struct, field by field, each with the description of its `Meta`."""
    described = msgspec.json.schema_components([query])[1][query.__name__]["properties"]
    return [
        Parameter(
            name=name,
            param_in="query",
            required=False,
            schema=_schema(schema),
            description=schema.get("description"),
        )
        for name, schema in described.items()
    ]


def _schema(described: dict[str, Any]) -> Schema:
    names = {"minimum": "minimum", "maximum": "maximum", "minLength": "min_length", "maxLength": "max_length"}
    bounds = {ours: described[theirs] for theirs, ours in names.items() if theirs in described}
    kind = OpenAPIType(described["type"])
    date_time = OpenAPIFormat.DATE_TIME if described.get("format") == "date-time" else None
    return Schema(type=kind, format=date_time, default=described.get("default"), **bounds)
