"""Path parameters: the ids in them, which are digits and nothing else."""

from __future__ import annotations

from typing import Annotated, Any

from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import PathParameter

from app.repository.schemas import LARGEST_BIGINT
from app.validation.texts import MOST_DIGITS, is_whole_number


class _Id(int):
    """An integer that has to be read by `decode_id`: Litestar would take `1.0` and `1e0` for one, too."""


RowId = Annotated[_Id, PathParameter(schema_extra={"type": OpenAPIType.INTEGER})]


def is_id(kind: Any) -> bool:
    return kind is _Id


def decode_id(_: type[_Id], text: str) -> _Id:
    """What is no number that a row may have becomes 0, which none has. Raises: ValueError."""
    if not is_whole_number(text):
        raise ValueError("must be a whole number")
    number = _Id(text[:MOST_DIGITS])
    return number if 0 < number <= LARGEST_BIGINT else _Id(0)
