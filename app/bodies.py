"""Bodies: JSON bytes in, a Struct out, or one problem that names every bad field."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import msgspec
from litestar.dto import AbstractDTO, DTOFieldDefinition

from app.checks import as_pointers, check
from app.problems import FieldError, Invalid, Malformed, UnsupportedMediaType

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator
    from litestar.dto._backend import DTOBackend
    from litestar.openapi.spec import Reference, Schema
    from litestar.typing import FieldDefinition


class JsonBody(AbstractDTO[Any]):
    """Decodes the `data` of every handler as the Struct of its annotation."""

    def decode_bytes(self, value: bytes) -> Any:
        """Raises: UnsupportedMediaType, Malformed, Invalid."""
        check_content_type(self.asgi_connection.headers.get("content-type", ""))
        handler: Any = self.asgi_connection.route_handler
        kind = handler.parsed_data_field.annotation
        given = decode_json(value)
        if not isinstance(given, dict):
            raise Invalid([FieldError("must be an object", pointer="")])
        made, wrong = check(kind, given)
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
        """Describe the body by its Struct."""
        return schema_creator.for_field_definition(field_definition)

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
