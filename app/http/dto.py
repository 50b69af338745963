"""DTO: the JSON of a body in, a Struct out, or one problem that names every bad field."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi.spec import Schema

from app.http.etags import header_value
from app.http.media_types import MERGE_PATCH, json_type
from app.problems import FieldError, Invalid, TooLarge, UnsupportedMediaType
from app.validation.batch import check_rows, in_time_slices
from app.validation.decoding import decode_items, decode_json
from app.validation.inspection import fields_of
from app.validation.pointers import to_field_errors
from app.validation.validator import check

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator
    from litestar.dto._backend import DTOBackend
    from litestar.openapi.spec import Reference
    from litestar.typing import FieldDefinition


class JsonBody(AbstractDTO[Any]):
    """Decodes the `data` of every handler as the Struct of its annotation."""

    def decode_bytes(self, value: bytes) -> Any:
        """An array has been through `check_array` before. Raises: UnsupportedMediaType, Malformed, Invalid."""
        request: Any = self.asgi_connection
        field = _body_field(request)
        if get_origin(field.annotation) is list:
            return request.state.checked
        check_media_type(request)
        struct, errors = check(field.annotation, decode_json(value))
        if struct is None:
            raise Invalid(to_field_errors(errors))
        return struct

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: type[DTOBackend] | None = None
    ) -> None:
        """Look at the Struct, which describes itself, when the service starts. Raises: TypeError."""
        fields_of(next(iter(get_args(field_definition.annotation)), field_definition.annotation))

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


def check_media_type(request: Request[Any, Any, Any]) -> None:
    """Accept JSON in UTF-8, not compressed, and for PATCH a merge patch, too. Raises: UnsupportedMediaType."""
    media_type = json_type(header_value(request, b"content-type") or "")
    coding = header_value(request, b"content-encoding") or "identity"
    if media_type is None or (media_type == MERGE_PATCH and request.method != "PATCH") or coding.lower() != "identity":
        raise UnsupportedMediaType


async def check_array(request: Request[Any, Any, Any]) -> None:
    """To be called before a handler that takes an array: its rows may take seconds, and others have their turn.

    Raises: UnsupportedMediaType, Malformed, Invalid.
    """
    field = _body_field(request)
    try:
        raw = await request.body()
    except RequestEntityTooLarge:
        limit = request.route_handler.resolve_request_max_body_size() or 0
        raise TooLarge(f"{TooLarge.detail}: at most {limit:,} bytes{_more(_limits(field))}") from None
    if raw:
        check_media_type(request)
        request.state.checked = await decode_array(raw, get_args(field.annotation)[0], _limits(field))


async def decode_array(raw: bytes, kind: type[msgspec.Struct], limits: msgspec.Meta) -> list[Any]:
    """Parse an array of `kind` Structs. Raises: Malformed, Invalid."""
    minimum, maximum = limits.min_length or 0, limits.max_length or len(raw)
    try:
        rows: list[Any] = msgspec.json.decode(raw, type=list[kind])  # type: ignore[valid-type]
        told = f", not {len(rows):,}{_more(limits) if len(rows) > maximum else ''}"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        rows, told = [], ""
        async for item in in_time_slices(decode_items(raw)):
            rows.append(item)
            if len(rows) > maximum:
                break
    if not minimum <= len(rows) <= maximum:
        raise Invalid([FieldError(f"must hold {minimum} to {maximum} items{told}", pointer="")])
    return await check_rows(kind, rows)


def _more(limits: msgspec.Meta) -> str:
    """What takes more than an array may hold."""
    return f"; {more}" if (more := (limits.extra or {}).get("more")) else ""


def _body_field(request: Any) -> FieldDefinition:
    return request.route_handler.parsed_data_field  # type: ignore[no-any-return]


def _limits(field: FieldDefinition) -> msgspec.Meta:
    return next((meta for meta in field.metadata if isinstance(meta, msgspec.Meta)), msgspec.Meta())
