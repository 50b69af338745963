"""OpenAPI: what the framework cannot see, problems and query Structs, said in the document too."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType

from app.http.problem_details import PROBLEM_JSON, ProblemBody, problem_body
from app.problems import Problem, title
from app.repository.listing import Listing
from app.repository.schemas import ListQuery
from app.validation.inspection import fields_of
from app.validation.texts import VISIBLE

REQUEST_ID = "01a1fca5-4e1e-7c3b-a1c9-6f4a3c5be7d2"
"""Of examples."""


def problems(*those: int | Problem) -> dict[int, ResponseSpec]:
    """Describe the problems that an operation may answer, besides those that every operation may.

    A status stands for the usual problem with it.
    """
    slow = (408,) if 413 in those else ()
    return dict(_described(one) for one in (*those, *slow, 400, 500))


def _described(one: int | Problem) -> tuple[int, ResponseSpec]:
    own = [] if isinstance(one, int) else [Example(value=msgspec.to_builtins(problem_body(one, REQUEST_ID)))]
    status = one if isinstance(one, int) else one.status
    return status, ResponseSpec(
        ProblemBody, generate_examples=False, media_type=PROBLEM_JSON, description=title(status), examples=own or None
    )


_TAG = r'(W/)?"[!#-~]*"'
_CONDITION = rf"^(\*|{_TAG}( *, *{_TAG})*)$"
REPEAT_KEY = r"""^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"""
_ELSEWHERE = {"$ref", "title"}
"""Of a schema, what a parameter does not need."""


@dataclass
class Written(Schema):
    """A schema just as it stands in the document."""

    written: dict[str, Any] = dataclass_field(default_factory=dict)

    def to_schema(self) -> dict[str, Any]:
        return self.written


def say_patterns(kind: type[msgspec.Struct], properties: dict[str, Any]) -> None:
    """Say in the schemas of fields what is checked of every text that people read, and of every time."""
    for name, field in fields_of(kind).items():
        parts = [properties[name]]
        while parts:
            part = parts.pop()
            parts += [*part.get("anyOf", ()), *([part["items"]] if "items" in part else [])]
            if part.get("type") == "string" and not part.keys() & {"pattern", "format"}:
                part |= {"pattern": VISIBLE} if field.readable else {"format": "date-time"} if field.is_moment else {}


def _with_parameters(*added: Parameter) -> type[Operation]:
    @dataclass
    class Documented(Operation):
        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or []), *added]

    return Documented


def _conditional(none_match: str, match: str, *, ignores: str | None = None) -> type[Operation]:
    """`ignores` is the header in which what is no ETag is not refused."""
    headers = {"If-None-Match": none_match, "If-Match": match}
    return _with_parameters(
        *(
            Parameter(
                name=name,
                param_in="header",
                schema=Schema(
                    type=OpenAPIType.STRING,
                    pattern=None if name == ignores else _CONDITION,
                    examples=['"1764061200000000"'],
                ),
                description=said,
            )
            for name, said in headers.items()
        )
    )


def listed_by(lists: Listing[Any]) -> type[Operation]:
    """Make an operation that documents what these lists understand as query parameters."""
    keys = [key for name in lists.sortable for key in (name, f"-{name}")]
    sort = {"type": "array", "items": {"type": "string", "enum": keys}, "minItems": 1, "uniqueItems": True}
    return _with_parameters(*query_parameters(lists.query, sort=sort))


ConditionalRead = _conditional(
    "Answer 304 if this is still the version (an ETag)",
    "Answer only with this version (an ETag)",
    ignores="If-None-Match",
)
ConditionalChange = _conditional("Change anything but this version (an ETag)", "Change only this version (an ETag)")
Repeatable = _with_parameters(
    Parameter(
        name="Idempotency-Key",
        param_in="header",
        schema=Schema(type=OpenAPIType.STRING, pattern=REPEAT_KEY, examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"]),
        description="Random, at least 16 bytes, new for each request that is not a repeat: whoever sends it again is"
        " answered what was answered first, and nothing is created twice",
    )
)
NOT_MODIFIED = {304: ResponseSpec(None, description="The client has this version")}


def query_parameters(query: type[ListQuery], **written: dict[str, Any]) -> list[Parameter]:
    """Describe a query Struct, field by field, each with the description of its `Meta`; some schemas are `written`."""
    components = msgspec.json.schema_components([query], ref_template="{name}")[1]
    properties = components[query.__name__]["properties"]
    say_patterns(query, properties)
    parameters = []
    for name, said in properties.items():
        schema = {**components.get(said.get("$ref"), {}), **said}
        # Of a field that may be null the description is that of what it is otherwise.
        descriptions = [part.pop("description", None) for part in (schema, *schema.get("anyOf", ()))]
        schema = written.get(name) or {key: schema[key] for key in schema.keys() - _ELSEWHERE}
        is_list = schema.get("type") == "array"
        parameters.append(
            Parameter(
                name=name,
                param_in="query",
                required=False,
                schema=Written(written=schema),
                description=next(filter(None, descriptions), None),
                # With an empty one a client begins.
                allow_empty_value=name == "cursor",
                # A list is written with commas.
                style="form" if is_list else None,
                explode=False if is_list else None,
            )
        )
    return parameters
