"""Lost updates: of two writers who saw the same version, one learns that it is too late."""

from __future__ import annotations

import asyncio

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.faults.services import ada

ROUNDS = 60


async def test_of_two_changes_with_one_tag_exactly_one_wins(client: httpx.AsyncClient) -> None:
    tag = (await client.post("/users", json=ada(1))).headers["etag"]

    for number in range(ROUNDS):
        answers = await asyncio.gather(
            *(client.patch("/users/1", json={"name": f"{number}-{who}"}, headers={"If-Match": tag}) for who in "ab")
        )

        assert sorted(answer.status_code for answer in answers) == [200, 412]
        won = next(answer for answer in answers if answer.status_code == 200)
        lost = next(answer for answer in answers if answer.status_code == 412)
        assert lost.json()["code"] == "precondition_failed"
        stored = await client.get("/users/1")
        assert (stored.json(), stored.headers["etag"]) == (won.json(), won.headers["etag"])
        assert won.headers["etag"] != tag
        tag = won.headers["etag"]


async def test_a_change_and_a_deletion_with_one_tag_do_not_both_happen(client: httpx.AsyncClient) -> None:
    for number in range(1, ROUNDS // 4):
        created = await client.post("/users", json=ada(number))
        path, seen = created.headers["location"], {"If-Match": created.headers["etag"]}

        changed, removed = await asyncio.gather(
            client.patch(path, json={"name": "Eve"}, headers=seen), client.delete(path, headers=seen)
        )

        stored = (await client.get(path)).status_code
        assert (changed.status_code, removed.status_code, stored) in {(200, 412, 200), (404, 204, 404)}


async def test_without_a_tag_every_change_counts(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    await client.post("/users", json=ada(1))

    answers = await asyncio.gather(*(client.patch("/users/1", json={"name": f"{n}"}) for n in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    versions = {int(answer.headers["etag"].strip('"')) for answer in answers}
    assert len(versions) == 20
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT version FROM users")) == max(versions)


async def test_the_update_itself_checks_the_version(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    """Even a change that slips in between reading and writing, here by a trigger, is not overwritten."""
    seen = (await client.post("/users", json=ada(1))).headers["etag"]
    async with engine.connect() as connection:
        await connection.execute(
            text("CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
        )
        await connection.execute(
            text("CREATE TRIGGER skip BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION skip()")
        )
        try:
            answer = await client.patch("/users/1", json={"name": "Eve"}, headers={"If-Match": seen})
        finally:
            await connection.execute(text("DROP FUNCTION skip CASCADE"))

    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
