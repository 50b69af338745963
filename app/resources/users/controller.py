"""Users: the HTTP face."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from app.http.etags import expected_versions, is_fresh
from app.http.openapi import NOT_MODIFIED, ConditionalChange, ConditionalRead, listed_by, problems
from app.http.pagination import parse_query
from app.http.path_parameters import RowId
from app.http.responses import PRIVATE, JsonResponse, created, listed, not_modified, versioned
from app.passwords import Passwords
from app.repository.reader import Reader
from app.repository.schemas import CursorPage, Page
from app.resources.users.repository import UserReads, UserRepository
from app.resources.users.schemas import UserCreate, UserQuery, UserRead, UserUpdate


async def provide_users(transaction: NamedDependency[AsyncSession]) -> UserRepository:
    return UserRepository(session=transaction)


class UserController(Controller):
    path = "/users"
    tags = ["Users"]
    dependencies = {"users": Provide(provide_users)}

    @post(responses=problems(400, 409, 413, 415, 422, 503))
    async def create(
        self, data: JSONBody[UserCreate], users: NamedDependency[UserRepository], passwords: NamedDependency[Passwords]
    ) -> JsonResponse[UserRead]:
        """Create a user."""
        hashed = await passwords.hash(data.password)
        user = await users.create(name=data.name, email=data.email, hashed_password=hashed)
        return created(user.public(), user.version, f"/users/{user.id}")

    @get(responses=problems(422, 503), operation_class=listed_by(UserQuery))
    async def list_users(
        self, request: Request[Any, Any, Any], reader: NamedDependency[Reader]
    ) -> JsonResponse[Page[UserRead] | CursorPage[UserRead]]:
        """List users by page, or by cursor when `cursor` is given."""
        query = parse_query(UserQuery, request.scope["query_string"])
        result = await (UserReads(reader).page(query) if query.by_page else UserReads(reader).after(query))
        return listed(result, request)

    @get("/{user_id:str}", responses=problems(404, 422, 503) | NOT_MODIFIED, operation_class=ConditionalRead)
    async def read(
        self, request: Request[Any, Any, Any], user_id: RowId, reader: NamedDependency[Reader]
    ) -> JsonResponse[UserRead]:
        """Read a user."""
        user = await UserReads(reader).get_by_id(user_id)
        if is_fresh(request, user.version):
            return not_modified(user.version)
        return versioned(user.public(), user.version, PRIVATE)

    @patch(
        "/{user_id:str}", responses=problems(400, 404, 409, 412, 413, 415, 422, 503), operation_class=ConditionalChange
    )
    async def update(
        self,
        request: Request[Any, Any, Any],
        user_id: RowId,
        data: JSONBody[UserUpdate],
        users: NamedDependency[UserRepository],
    ) -> JsonResponse[UserRead]:
        """Change a user's name or address."""
        user = await users.change(user_id, data, expected=expected_versions(request))
        return versioned(user.public(), user.version)

    @delete("/{user_id:str}", responses=problems(404, 412, 422, 503), operation_class=ConditionalChange)
    async def remove(
        self, request: Request[Any, Any, Any], user_id: RowId, users: NamedDependency[UserRepository]
    ) -> None:
        """Delete a user."""
        await users.remove(user_id, expected=expected_versions(request))
