"""Conditions: what `If-Match` and `If-None-Match` forbid is not done, and the answer says why."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.problems import problem, problem_of
from tests.test_users import sign_up

WEAK = "A weak tag (W/) never matches If-Match; proxies that compress make tags weak"
FOREIGN = "If-Match holds no tag of this service"
OTHER = "The resource has changed since it was read"
STORED = "If-None-Match names what is stored"


def refused(detail: str) -> dict[str, Any]:
    return problem(412, "precondition_failed", detail)


@pytest.fixture
async def stored(client: httpx.AsyncClient) -> httpx.Response:
    """The answer that created a user."""
    return await sign_up(client)


@pytest.mark.parametrize("condition", ["*", "{tag}", "W/{tag}", '"7", {tag}', ", {tag} ,"])
async def test_what_must_not_be_there_is_not_changed(
    client: httpx.AsyncClient, stored: httpx.Response, condition: str
) -> None:
    path, given = stored.headers["location"], {"If-None-Match": condition.format(tag=stored.headers["etag"])}

    changed = await client.patch(path, json={"name": "Eve"}, headers=given)
    removed = await client.delete(path, headers=given)

    assert problem_of(changed) == problem_of(removed) == refused(STORED)
    assert (await client.get(path)).json() == stored.json()


async def test_anything_else_than_what_must_not_be_there_is_changed(
    client: httpx.AsyncClient, stored: httpx.Response
) -> None:
    path, given = stored.headers["location"], {"If-None-Match": '"7"'}

    changed = await client.patch(path, json={"name": "Eve"}, headers=given)
    removed = await client.delete(path, headers={**given, "If-Match": changed.headers["etag"]})

    assert (changed.status_code, removed.status_code) == (200, 204)


@pytest.mark.parametrize(
    ("condition", "detail"),
    [
        ('"7"', OTHER),
        ("W/{tag}", WEAK),
        ('"7", W/{tag}', WEAK),
        ('"{version}-gzip"', FOREIGN),
        ('"0{version}"', OTHER),
        ('"+{version}"', FOREIGN),
    ],
)
async def test_another_version_is_neither_changed_nor_read(
    client: httpx.AsyncClient, stored: httpx.Response, condition: str, detail: str
) -> None:
    tag = stored.headers["etag"]
    path, given = stored.headers["location"], {"If-Match": condition.format(tag=tag, version=tag.strip('"'))}

    answers = [await client.request(method, path, headers=given) for method in ("GET", "DELETE")]
    changed = await client.patch(path, json={"name": "Eve"}, headers=given)

    assert [problem_of(answer) for answer in (*answers, changed)] == [refused(detail)] * 3
    assert (await client.head(path, headers=given)).status_code == 412


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize(
    "condition",
    ['" {version}"', "{version}", "x{tag}y", "{tag}{tag}", "{tag} {tag}", "w/{tag}", "{tag}, *", '{tag}, "', "", ","],
)
async def test_what_is_no_tag_is_refused_with_the_form_to_use(
    client: httpx.AsyncClient, stored: httpx.Response, name: str, condition: str
) -> None:
    tag = stored.headers["etag"]
    path, given = stored.headers["location"], {name: condition.format(tag=tag, version=tag.strip('"'))}

    answers = [await client.delete(path, headers=given), await client.patch(path, json={"name": "Eve"}, headers=given)]
    read = await client.get(path, headers=given)

    form = {"header": name, "detail": 'must be * or what ETag said, quotes included, such as "1"'}
    refused = problem(400, "malformed_request", f"{name} is no ETag", form)
    assert [problem_of(answer) for answer in answers] == [refused] * 2
    # A reader loses nothing by getting what it may have.
    assert read.status_code == (400 if name == "If-Match" else 200)
    assert (await client.get(path)).json() == stored.json()


async def test_a_list_of_tags_is_taken_apart_as_it_is_written(
    client: httpx.AsyncClient, stored: httpx.Response
) -> None:
    path, tag = stored.headers["location"], stored.headers["etag"]

    for condition in (f',, "a,b"\t,{tag}', f'"é", {tag},', f'W/"7",{tag}', "*"):
        read = await client.get(path, headers={b"If-Match": condition.encode("latin-1")})

        assert (read.status_code, read.headers["etag"]) == (200, tag)


async def test_a_tag_in_something_else_is_no_tag(client: httpx.AsyncClient, stored: httpx.Response) -> None:
    path, tag = stored.headers["location"], stored.headers["etag"]

    for condition in (f"x{tag}y", f"{tag}{tag}", f"*, {tag}", tag.replace('"', '"0', 1)):
        read = await client.get(path, headers={"If-None-Match": condition})

        assert (read.status_code, read.headers["etag"]) == (200, tag)


async def test_of_two_conditions_both_count(client: httpx.AsyncClient, stored: httpx.Response) -> None:
    path, tag = stored.headers["location"], stored.headers["etag"]

    fresh = await client.get(path, headers={"If-Match": tag, "If-None-Match": tag})
    stale = await client.get(path, headers={"If-Match": '"7"', "If-None-Match": tag})

    assert (fresh.status_code, problem_of(stale)) == (304, refused(OTHER))
