"""Users: the HTTP face."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from app.answers import PRIVATE, listed, not_modified, versioned
from app.conditions import IfMatch, IfNoneMatch, expected_versions, is_fresh
from app.openapi import listed_by, problems
from app.pagination import CursorPage, Page, parse_query
from app.passwords import Passwords
from app.reads import Reads
from app.users.repository import UserReads, UserRepository
from app.users.schemas import UserCreate, UserQuery, UserRead, UserUpdate


async def provide_users(transaction: NamedDependency[AsyncSession]) -> UserRepository:
    return UserRepository(session=transaction)


class UserController(Controller):
    path = "/users"
    tags = ["Users"]
    dependencies = {"users": Provide(provide_users)}

    @post(responses=problems(400, 409, 413, 415, 422, 503))
    async def create(
        self, data: JSONBody[UserCreate], users: NamedDependency[UserRepository], passwords: NamedDependency[Passwords]
    ) -> Response[UserRead]:
        """Create a user."""
        hashed = await passwords.hash(data.password)
        user = await users.create(name=data.name, email=data.email, hashed_password=hashed)
        location = {"Location": f"/users/{user.id}"}
        return versioned(user.public(), user.version, status_code=201, headers=location)

    @get(responses=problems(422, 503), operation_class=listed_by(UserQuery))
    async def list_users(
        self, request: Request[Any, Any, Any], reads: NamedDependency[Reads]
    ) -> Response[Page[UserRead] | CursorPage[UserRead]]:
        """List users by page, or by cursor when `cursor` is given."""
        query = parse_query(UserQuery, request.scope["query_string"])
        result = await (UserReads(reads).page(query) if query.by_page else UserReads(reads).after(query))
        return listed(result, request)

    @get("/{user_id:str}", responses=problems(404, 422, 503) | {304: ResponseSpec(None, description="Not modified")})
    async def read(
        self, user_id: FromPath[int], reads: NamedDependency[Reads], if_none_match: IfNoneMatch = None
    ) -> Response[UserRead]:
        """Read a user."""
        user = await UserReads(reads).get_by_id(user_id)
        if is_fresh(if_none_match, user.version):
            return not_modified(user.version)
        return versioned(user.public(), user.version, headers=PRIVATE)

    @patch("/{user_id:str}", responses=problems(400, 404, 409, 412, 413, 415, 422, 503))
    async def update(
        self,
        user_id: FromPath[int],
        data: JSONBody[UserUpdate],
        users: NamedDependency[UserRepository],
        if_match: IfMatch = None,
    ) -> Response[UserRead]:
        """Change a user's name or address."""
        user = await users.change(user_id, data, expected=expected_versions(if_match))
        return versioned(user.public(), user.version)

    @delete("/{user_id:str}", responses=problems(404, 412, 422, 503))
    async def remove(
        self, user_id: FromPath[int], users: NamedDependency[UserRepository], if_match: IfMatch = None
    ) -> None:
        """Delete a user."""
        await users.remove(user_id, expected=expected_versions(if_match))
