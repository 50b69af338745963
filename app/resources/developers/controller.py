"""Developers: the HTTP face."""

from __future__ import annotations

from litestar import Controller, delete, get, patch, post
from litestar.params import JSONBody

from app.http.dependencies import AnyRequest, Reader, Transaction
from app.http.dto import check_array
from app.http.etags import condition
from app.http.openapi import NOT_MODIFIED, ConditionalChange, ConditionalRead, listed_by, problems
from app.http.pagination import parse_query
from app.http.path_parameters import RowId
from app.http.responses import JsonResponse, changed, created, found, listed
from app.repository.schemas import BulkCreated, CursorPage, Page
from app.resources.developers.repository import DeveloperRepository, developers
from app.resources.developers.schemas import (
    DeveloperBulk,
    DeveloperCreate,
    DeveloperQuery,
    DeveloperRead,
    DeveloperUpdate,
)

BULK_BODY_LIMIT = 8 * 1024 * 1024
"""Bytes."""


class DeveloperController(Controller):
    """The second resource, with bulk creation"""

    path = "/developers"
    tags = ["Developers"]

    @post(who="administrator", repeatable=True, responses=problems(409, 413, 415, 422, 503))
    async def create(self, data: JSONBody[DeveloperCreate], transaction: Transaction) -> JsonResponse[DeveloperRead]:
        """Create a developer."""
        return created(await DeveloperRepository(session=transaction).create(data), self.path)

    @post(
        "/bulk",
        who="administrator",
        repeatable=True,
        responses=problems(409, 413, 415, 422, 503),
        request_max_body_size=BULK_BODY_LIMIT,
        before_request=check_array,
    )
    async def create_many(self, data: JSONBody[DeveloperBulk], transaction: Transaction) -> JsonResponse[BulkCreated]:
        """Create up to 10,000 developers."""
        count = await DeveloperRepository(session=transaction).create_many(data)
        return JsonResponse(BulkCreated(count), status_code=201)

    @get(who="signed_in", responses=problems(422, 503), operation_class=listed_by(developers))
    async def list_developers(
        self, request: AnyRequest, reader: Reader
    ) -> JsonResponse[Page[DeveloperRead] | CursorPage[DeveloperRead]]:
        """List developers."""
        query = parse_query(DeveloperQuery, request.scope["query_string"])
        return listed(await developers.select(reader, query), request)

    @get(
        "/{developer_id:str}",
        who="signed_in",
        responses=problems(404, 412, 422, 503) | NOT_MODIFIED,
        operation_class=ConditionalRead,
    )
    async def read(self, request: AnyRequest, developer_id: RowId, reader: Reader) -> JsonResponse[DeveloperRead]:
        """Read a developer."""
        return found(await developers.get(reader, developer_id), request)

    @patch(
        "/{developer_id:str}",
        who="administrator",
        responses=problems(404, 409, 412, 413, 415, 422, 503),
        operation_class=ConditionalChange,
    )
    async def update(
        self, request: AnyRequest, developer_id: RowId, data: JSONBody[DeveloperUpdate], transaction: Transaction
    ) -> JsonResponse[DeveloperRead]:
        """Change a developer's name, address or specialty."""
        return changed(await DeveloperRepository(session=transaction).change(developer_id, data, condition(request)))

    @delete(
        "/{developer_id:str}",
        who="administrator",
        responses=problems(404, 412, 422, 503),
        operation_class=ConditionalChange,
    )
    async def remove(self, request: AnyRequest, developer_id: RowId, transaction: Transaction) -> None:
        """Delete a developer."""
        await DeveloperRepository(session=transaction).remove(developer_id, condition(request))
