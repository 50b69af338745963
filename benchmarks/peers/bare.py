"""Bare: a plain ASGI callable on asyncpg's pool and msgspec, the ceiling that no framework can pass.

No routing table, dependency, session or problem details, and an address is only matched against a pattern.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any
from urllib.parse import parse_qsl

import asyncpg
from argon2 import PasswordHasher
from msgspec import Meta, Struct, ValidationError, json

Answer = tuple[int, Struct | dict[str, Any]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Email = Annotated[str, Meta(max_length=255, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Password = Annotated[str, Meta(min_length=8, max_length=128)]


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


class UserSlice(Struct):
    items: list[UserRead]
    size: int
    next_cursor: str | None


class DeveloperCreate(Struct):
    name: Name
    email: Email
    specialty: Name


user_decoder = json.Decoder(UserCreate)
developers_decoder = json.Decoder(list[DeveloperCreate])
encoder = json.Encoder()
hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
hashing_threads = ThreadPoolExecutor(os.cpu_count())
pool: "asyncpg.Pool[asyncpg.Record]"


async def read_user(user_id: int) -> Answer:
    row = await pool.fetchrow("SELECT id, name, email FROM users WHERE id = $1", user_id)
    return (200, UserRead(*row)) if row else (404, {"detail": "User not found"})


async def page_of_users(page: int, size: int) -> Answer:
    async with pool.acquire() as connection:
        total = await connection.fetchval("SELECT count(*) FROM users")
        rows = await connection.fetch(
            "SELECT id, name, email FROM users ORDER BY id LIMIT $1 OFFSET $2", size, (page - 1) * size
        )
    return 200, UserPage([UserRead(*row) for row in rows], total, page, size, (total + size - 1) // size)


async def users_after(cursor: str, size: int) -> Answer:
    rows = await pool.fetch(
        "SELECT id, name, email FROM users WHERE id > $1 ORDER BY id LIMIT $2", int(cursor or 0), size + 1
    )
    items = [UserRead(*row) for row in rows[:size]]
    return 200, UserSlice(items, size, str(items[-1].id) if len(rows) > size else None)


async def create_user(body: bytes) -> Answer:
    data = user_decoder.decode(body)
    loop = asyncio.get_running_loop()
    hashed_password = await loop.run_in_executor(hashing_threads, hasher.hash, data.password)
    user_id = await pool.fetchval(
        "INSERT INTO users (name, email, hashed_password) VALUES ($1, $2, $3) RETURNING id",
        data.name,
        data.email,
        hashed_password,
    )
    return 201, UserRead(user_id, data.name, data.email)


async def create_developers(body: bytes) -> Answer:
    developers = developers_decoder.decode(body)
    records = [(developer.name, developer.email, developer.specialty) for developer in developers]
    async with pool.acquire() as connection:
        await connection.copy_records_to_table("developers", records=records, columns=["name", "email", "specialty"])
    return 201, {"created": len(records)}


async def body_of(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def answer(scope: dict[str, Any], receive: Receive) -> Answer:
    match scope["method"], scope["path"]:
        case "GET", "/health/live":
            return 200, {"status": "live"}
        case "GET", "/users":
            query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
            size = int(query.get("size", 20))
            if "cursor" in query:
                return await users_after(query["cursor"], size)
            return await page_of_users(int(query.get("page", 1)), size)
        case "GET", path if path.startswith("/users/"):
            return await read_user(int(path[7:]))
        case "POST", "/users":
            return await create_user(await body_of(receive))
        case "POST", "/developers/bulk":
            return await create_developers(await body_of(receive))
    return 404, {"detail": "Not Found"}


async def lifespan(receive: Receive, send: Send) -> None:
    global pool
    await receive()
    url = os.environ["DATABASE_URL"].replace("+asyncpg", "")
    pool = await asyncpg.create_pool(url, min_size=1, max_size=15)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    try:
        status, content = await answer(scope, receive)
    except asyncpg.UniqueViolationError:
        status, content = 409, {"detail": "Email already registered"}
    except ValidationError as error:
        status, content = 422, {"detail": str(error)}
    body = encoder.encode(content)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
