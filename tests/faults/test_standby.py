"""Standby: whoever has signed in reads there, and nobody signs in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.faults.answers import assert_unavailable, timed
from tests.faults.postgres import PrivatePostgres
from tests.faults.services import ADA, service_in_process

RIGHT = {"email": ADA["email"], "password": ADA["password"]}


async def test_a_session_is_good_on_a_standby_where_none_begins(
    make_postgres: Callable[..., PrivatePostgres],
) -> None:
    primary = make_postgres()
    standby = make_postgres(primary_conninfo=f"host=127.0.0.1 port={primary.port} user=postgres")
    (standby.home / "data/standby.signal").touch()
    await primary.start()
    await standby.start()

    async with service_in_process(primary.text) as there, service_in_process(standby.text) as here:
        await there.post("/users", json=ADA)
        token = (await there.post("/sessions", json=RIGHT)).json()["token"]
        mine = {"Authorization": f"Bearer {token}"}
        while (me := await here.get("/users/me", headers=mine)).status_code == 401:
            await asyncio.sleep(0.05)  # Until it has come here.
        refused = await timed(here.post("/sessions", json=RIGHT))
        ended = await there.delete("/sessions/current", headers=mine)
        while (await here.get("/users/me", headers=mine)).status_code == 200:
            await asyncio.sleep(0.05)

    assert (me.status_code, me.json()["name"], ended.status_code) == (200, "Ada", 204)
    assert_unavailable(refused[0], "read_only")
