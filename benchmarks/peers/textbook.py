"""Textbook: the FastAPI + async SQLAlchemy recipe as it is published, the yardstick of every ratio.

Session by `Depends`, a look before an insert, ORM rows into Pydantic models, `count(*)` for each list, pages
by OFFSET. Two errors of the published code are mended, so that the answers agree: lists are ordered by id,
and the password is hashed for real, inside the `async def`, where FastAPI's own tutorial hashes it.
"""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

from argon2 import PasswordHasher
from fastapi import Depends, FastAPI, HTTPException, Query, status
from pydantic import BaseModel, ConfigDict, EmailStr, Field
from sqlalchemy import DateTime, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(
    os.environ["DATABASE_URL"],
    pool_size=5,
    max_overflow=10,
    pool_timeout=30,
    pool_recycle=3600,
    pool_pre_ping=True,
)
session_factory = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(255), unique=True, index=True)
    hashed_password: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Developer(Base):
    __tablename__ = "developers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(255), unique=True, index=True)
    specialty: Mapped[str] = mapped_column(String(100), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class UserCreate(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    email: EmailStr
    password: str = Field(min_length=8, max_length=128)


class UserRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    name: str
    email: str


class UserPage(BaseModel):
    items: list[UserRead]
    total: int
    page: int
    size: int
    pages: int


class DeveloperCreate(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    email: EmailStr
    specialty: str = Field(min_length=1, max_length=100)


class UserRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def by_id(self, user_id: int) -> User | None:
        return await self.session.get(User, user_id)

    async def by_email(self, email: str) -> User | None:
        return await self.session.scalar(select(User).where(User.email == email))

    async def create(self, data: UserCreate) -> User:
        user = User(name=data.name, email=data.email, hashed_password=hasher.hash(data.password))
        self.session.add(user)
        await self.session.commit()
        return user

    async def count(self) -> int:
        return await self.session.scalar(select(func.count()).select_from(User)) or 0

    async def list(self, *, offset: int, limit: int) -> Sequence[User]:
        rows = await self.session.scalars(select(User).order_by(User.id).offset(offset).limit(limit))
        return rows.all()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with session_factory() as session:
        try:
            yield session
        except BaseException:
            await session.rollback()
            raise


Session = Annotated[AsyncSession, Depends(get_session)]


def get_users(session: Session) -> UserRepository:
    return UserRepository(session)


Users = Annotated[UserRepository, Depends(get_users)]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "live"}


@app.get("/users/{user_id}", response_model=UserRead)
async def read_user(user_id: int, users: Users) -> User:
    user = await users.by_id(user_id)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    return user


@app.get("/users")
async def list_users(
    users: Users, page: Annotated[int, Query(ge=1)] = 1, size: Annotated[int, Query(ge=1, le=100)] = 20
) -> UserPage:
    total = await users.count()
    rows = await users.list(offset=(page - 1) * size, limit=size)
    items = [UserRead.model_validate(row) for row in rows]
    return UserPage(items=items, total=total, page=page, size=size, pages=(total + size - 1) // size)


@app.post("/users", status_code=status.HTTP_201_CREATED, response_model=UserRead)
async def create_user(data: UserCreate, users: Users) -> User:
    if await users.by_email(data.email) is not None:
        raise HTTPException(status.HTTP_409_CONFLICT, "Email already registered")
    return await users.create(data)


@app.post("/developers/bulk", status_code=status.HTTP_201_CREATED)
async def create_developers(data: list[DeveloperCreate], session: Session) -> dict[str, int]:
    session.add_all(Developer(**developer.model_dump()) for developer in data)
    await session.commit()
    return {"created": len(data)}
