"""Bodies: JSON bytes in, a Struct out, or one problem that names every bad field."""

from __future__ import annotations

import json
from collections.abc import Generator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Schema

from app.arrays import check_rows
from app.checks import as_pointers, check
from app.problems import FieldError, Invalid, Malformed, UnsupportedMediaType

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator
    from litestar.dto._backend import DTOBackend
    from litestar.openapi.spec import Reference
    from litestar.typing import FieldDefinition


class JsonBody(AbstractDTO[Any]):
    """Decodes the `data` of every handler as the Struct of its annotation."""

    def decode_bytes(self, value: bytes) -> Any:
        """Raises: UnsupportedMediaType, Malformed, Invalid."""
        check_content_type(self.asgi_connection.headers.get("content-type", ""))
        handler: Any = self.asgi_connection.route_handler
        field = handler.parsed_data_field
        if get_origin(field.annotation) is list:
            return decode_array(value, get_args(field.annotation)[0], _limits(field))
        made, wrong = check(field.annotation, decode_json(value))
        if made is None:
            raise Invalid(as_pointers(wrong))
        return made

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: type[DTOBackend] | None = None
    ) -> None:
        """Nothing to prepare: the Struct is its own description."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: SchemaCreator
    ) -> Reference | Schema:
        """Describe the body by its Struct, and an array by its limits too."""
        described = schema_creator.for_field_definition(field_definition)
        if isinstance(described, Schema) and (limits := _limits(field_definition)):
            described.min_items, described.max_items = limits.min_length, limits.max_length
        return described

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        """Never asked: no transfer model is built."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """Never asked: no transfer model is built."""
        return False


def check_content_type(given: str) -> None:
    """Accept JSON in UTF-8 and nothing else. Raises: UnsupportedMediaType."""
    kind, _, parameters = given.lower().partition(";")
    name, _, charset = parameters.strip().partition("=")
    is_json = kind.strip() == "application/json" or (kind.startswith("application/") and kind.strip().endswith("+json"))
    if not is_json or (name.strip() == "charset" and charset.strip(' "') not in ("utf-8", "utf8")):
        raise UnsupportedMediaType


def decode_array(raw: bytes, kind: type[msgspec.Struct], limits: msgspec.Meta) -> list[Any]:
    """Parse an array of `kind` Structs. Raises: Malformed, Invalid."""
    try:
        given: Any = _decoder(kind).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        given = decode_json(raw)
    if not isinstance(given, list):
        raise Invalid([FieldError("must be an array", pointer="")])
    if not (limits.min_length or 0) <= len(given) <= (limits.max_length or len(given)):
        raise Invalid([FieldError(f"must hold {limits.min_length} to {limits.max_length} items", pointer="")])
    return check_rows(kind, given)


@lru_cache(16)
def _decoder(kind: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]


def _limits(field: FieldDefinition) -> msgspec.Meta:
    return next((meta for meta in field.metadata if isinstance(meta, msgspec.Meta)), msgspec.Meta())


def decode_json(raw: bytes) -> Any:
    """Parse JSON in UTF-8. Raises: Malformed."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # A lone surrogate is well-formed JSON that msgspec refuses: let the field that holds it be named.
    try:
        return json.loads(raw.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Malformed from None


def _refuse(name: str) -> None:
    raise ValueError(name)
