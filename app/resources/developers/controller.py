"""Developers: the HTTP face."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from app.http.dto import check_array
from app.http.etags import expected_versions, is_fresh
from app.http.openapi import NOT_MODIFIED, ConditionalChange, ConditionalRead, listed_by, problems
from app.http.pagination import parse_query
from app.http.path_parameters import RowId
from app.http.responses import PRIVATE, JsonResponse, created, listed, not_modified, versioned
from app.repository.reader import Reader
from app.repository.schemas import CursorPage, Page
from app.resources.developers.repository import DeveloperReads, DeveloperRepository
from app.resources.developers.schemas import (
    BulkCreated,
    DeveloperBulk,
    DeveloperCreate,
    DeveloperQuery,
    DeveloperRead,
    DeveloperUpdate,
)

BULK_BODY_LIMIT = 8 * 1024 * 1024
"""Bytes."""


async def provide_developers(transaction: NamedDependency[AsyncSession]) -> DeveloperRepository:
    return DeveloperRepository(session=transaction)


class DeveloperController(Controller):
    path = "/developers"
    tags = ["Developers"]
    dependencies = {"developers": Provide(provide_developers)}

    @post(responses=problems(400, 409, 413, 415, 422, 503))
    async def create(
        self, data: JSONBody[DeveloperCreate], developers: NamedDependency[DeveloperRepository]
    ) -> JsonResponse[DeveloperRead]:
        """Create a developer."""
        developer = await developers.create(data)
        return created(developer.public(), developer.version, f"/developers/{developer.id}")

    @post(
        "/bulk",
        responses=problems(400, 409, 413, 415, 422, 503),
        request_max_body_size=BULK_BODY_LIMIT,
        before_request=check_array,
    )
    async def create_many(
        self, data: JSONBody[DeveloperBulk], developers: NamedDependency[DeveloperRepository]
    ) -> JsonResponse[BulkCreated]:
        """Create up to 10,000 developers, all or none."""
        return JsonResponse(BulkCreated(await developers.create_many(data)), status_code=201)

    @get(responses=problems(422, 503), operation_class=listed_by(DeveloperQuery))
    async def list_developers(
        self, request: Request[Any, Any, Any], reader: NamedDependency[Reader]
    ) -> JsonResponse[Page[DeveloperRead] | CursorPage[DeveloperRead]]:
        """List developers by page, or by cursor when `cursor` is given."""
        query = parse_query(DeveloperQuery, request.scope["query_string"])
        result = await (DeveloperReads(reader).page(query) if query.by_page else DeveloperReads(reader).after(query))
        return listed(result, request)

    @get("/{developer_id:str}", responses=problems(404, 422, 503) | NOT_MODIFIED, operation_class=ConditionalRead)
    async def read(
        self, request: Request[Any, Any, Any], developer_id: RowId, reader: NamedDependency[Reader]
    ) -> JsonResponse[DeveloperRead]:
        """Read a developer."""
        developer = await DeveloperReads(reader).get_by_id(developer_id)
        if is_fresh(request, developer.version):
            return not_modified(developer.version)
        return versioned(developer.public(), developer.version, PRIVATE)

    @patch(
        "/{developer_id:str}",
        responses=problems(400, 404, 409, 412, 413, 415, 422, 503),
        operation_class=ConditionalChange,
    )
    async def update(
        self,
        request: Request[Any, Any, Any],
        developer_id: RowId,
        data: JSONBody[DeveloperUpdate],
        developers: NamedDependency[DeveloperRepository],
    ) -> JsonResponse[DeveloperRead]:
        """Change a developer's name, address or specialty."""
        developer = await developers.change(developer_id, data, expected=expected_versions(request))
        return versioned(developer.public(), developer.version)

    @delete("/{developer_id:str}", responses=problems(404, 412, 422, 503), operation_class=ConditionalChange)
    async def remove(
        self, request: Request[Any, Any, Any], developer_id: RowId, developers: NamedDependency[DeveloperRepository]
    ) -> None:
        """Delete a developer."""
        await developers.remove(developer_id, expected=expected_versions(request))
