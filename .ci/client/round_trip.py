"""Round trip: what a client that was generated from the document says to the service, and understands."""

from __future__ import annotations

import httpx
from users_client.api.users import users_create, users_list, users_update
from users_client.client import Client
from users_client.models import CursorPageUserRead, PageUserRead, Problem, UserCreate, UserRead, UserUpdate


async def travel(transport: httpx.AsyncBaseTransport) -> None:
    client = Client("http://localhost", httpx_args={"transport": transport})
    for name in ("ada", "bob"):
        body = UserCreate(name=name, email=f"{name}@example.com", password="correct horse")
        created = await users_create.asyncio_detailed(client=client, body=body)
        assert created.status_code == 201, created

    page = await users_list.asyncio(client=client, size=1)
    assert isinstance(page, PageUserRead), page
    assert (page.total, page.pages, page.items[0].name) == (2, 2, "ada")

    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        some = await users_list.asyncio(client=client, size=1, cursor=cursor)
        assert isinstance(some, CursorPageUserRead), some
        names += [user.name for user in some.items]
        cursor = some.next_cursor
    assert names == ["ada", "bob"]

    tag, new = created.headers["etag"], UserUpdate(name="Bob")
    changed = await users_update.asyncio(2, client=client, body=new, if_match=tag)
    assert isinstance(changed, UserRead), changed
    assert (changed.id, changed.name) == (2, "Bob")
    stale = await users_update.asyncio(2, client=client, body=new, if_match=tag)
    assert isinstance(stale, Problem), stale
    assert stale.code == "precondition_failed"

    wrong = await users_create.asyncio(client=client, body=UserCreate(name="", email="x", password="short"))
    assert isinstance(wrong, Problem), wrong
    assert (wrong.status, wrong.code) == (422, "validation_error")
    assert [error.pointer for error in wrong.errors or []] == ["/name", "/email", "/password"]
