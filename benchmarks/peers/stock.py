"""Stock: Litestar and Advanced Alchemy joined as their documentation does, nothing tuned.

Services from `create_service_dependencies`, autocommit at the response, `PasswordHash` for the column, the
page from `list_and_count`. Only the envelope and the order by id are changed, for the contract.
"""

import os
from datetime import datetime
from typing import Annotated

from advanced_alchemy.base import IdentityBase
from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
    providers,
)
from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from advanced_alchemy.service import SQLAlchemyAsyncRepositoryService
from advanced_alchemy.types import PasswordHash
from advanced_alchemy.types.password_hash.argon2 import Argon2Hasher
from litestar import Controller, Litestar, get, post
from litestar.params import Parameter
from msgspec import Meta, Struct
from sqlalchemy import DateTime, String, func
from sqlalchemy.orm import Mapped, mapped_column

hasher = Argon2Hasher(time_cost=2, memory_cost=19456, parallelism=1)

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Email = Annotated[str, Meta(max_length=255, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Password = Annotated[str, Meta(min_length=8, max_length=128)]


class User(IdentityBase):
    __tablename__ = "users"
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(255), unique=True, index=True)
    hashed_password: Mapped[str] = mapped_column(PasswordHash(backend=hasher, length=255))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Developer(IdentityBase):
    __tablename__ = "developers"
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(255), unique=True, index=True)
    specialty: Mapped[str] = mapped_column(String(100), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class UserCreate(Struct):
    name: Name
    email: Email
    password: Password


class UserRead(Struct):
    id: int
    name: str
    email: str


class UserPage(Struct):
    items: list[UserRead]
    total: int
    page: int
    size: int
    pages: int


class DeveloperCreate(Struct):
    name: Name
    email: Email
    specialty: Name


class UserService(SQLAlchemyAsyncRepositoryService[User]):
    class Repository(SQLAlchemyAsyncRepository[User]):
        model_type = User

    repository_type = Repository


class DeveloperService(SQLAlchemyAsyncRepositoryService[Developer]):
    class Repository(SQLAlchemyAsyncRepository[Developer]):
        model_type = Developer

    repository_type = Repository


class UserController(Controller):
    path = "/users"
    dependencies = providers.create_service_dependencies(UserService, "users")

    @get("/{user_id:int}")
    async def read(self, users: UserService, user_id: int) -> UserRead:
        return users.to_schema(await users.get(user_id), schema_type=UserRead)

    @get()
    async def page(
        self,
        users: UserService,
        page: Annotated[int, Parameter(ge=1)] = 1,
        size: Annotated[int, Parameter(ge=1, le=100)] = 20,
    ) -> UserPage:
        rows, total = await users.list_and_count(LimitOffset(size, (page - 1) * size), order_by=("id", False))
        items = [users.to_schema(row, schema_type=UserRead) for row in rows]
        return UserPage(items, total, page, size, (total + size - 1) // size)

    @post()
    async def create(self, users: UserService, data: UserCreate) -> UserRead:
        user = await users.create({"name": data.name, "email": data.email, "hashed_password": data.password})
        return users.to_schema(user, schema_type=UserRead)


class DeveloperController(Controller):
    path = "/developers"
    dependencies = providers.create_service_dependencies(DeveloperService, "developers")

    @post("/bulk")
    async def create_many(self, developers: DeveloperService, data: list[DeveloperCreate]) -> dict[str, int]:
        return {"created": len(await developers.create_many(data))}


@get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "live"}


alchemy = SQLAlchemyAsyncConfig(
    connection_string=os.environ["DATABASE_URL"],
    before_send_handler="autocommit",
    session_config=AsyncSessionConfig(expire_on_commit=False),
)
app = Litestar([UserController, DeveloperController, live], plugins=[SQLAlchemyPlugin(config=alchemy)])
