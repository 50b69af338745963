"""Bulk: thousands of rows in one request, all of them or none."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from app import create_app
from app.settings import Settings
from app.settings.database_url import DatabaseUrl
from app.validation.addresses import is_plain_email
from tests.clients import client_of
from tests.databases import empty_database, migrate
from tests.predecessors import side_by_side
from tests.problems import invalid, problem, problem_of
from tests.test_letter_case import SPELLINGS, TURKISH
from tests.test_slow_bodies import trickle
from tests.test_texts import E_ACUTE, SAME, UNREADABLE

JSON = {"Content-Type": "application/json"}


def rows(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": f"N{n}", "email": f"n{n}@example.com", "specialty": "backend", **fields} for n in range(count)]


async def create_many(client: httpx.AsyncClient, body: Any) -> httpx.Response:
    return await client.post("/developers/bulk", content=json.dumps(body), headers=JSON)


async def total(client: httpx.AsyncClient) -> int:
    found: int = (await client.get("/developers")).json()["total"]
    return found


def pointers(answer: httpx.Response) -> list[str]:
    return [error["pointer"] for error in answer.json()["errors"]]


async def test_ten_thousand_are_created_in_their_order(client: httpx.AsyncClient) -> None:
    created = await create_many(client, rows(10_000))

    assert (created.status_code, created.json()) == (201, {"created": 10_000})
    last = (await client.get("/developers/10000")).json()
    assert (last.pop("created_at") is not None, last) == (True, {"id": 10_000, **rows(10_000)[-1]})
    assert await total(client) == 10_000


async def test_blanks_are_stripped(client: httpx.AsyncClient) -> None:
    created = await create_many(client, rows(1, name=" Ada ", email=" ada@example.com\n", specialty="\tbackend"))

    assert created.status_code == 201
    found = (await client.get("/developers/1")).json()
    assert (found["name"], found["email"], found["specialty"]) == ("Ada", "ada@example.com", "backend")


@pytest.mark.parametrize("spelling", ["n17@example.com", "N17@EXAMPLE.com"])
async def test_the_first_address_that_is_taken_is_named(client: httpx.AsyncClient, spelling: str) -> None:
    await create_many(client, rows(1, email=spelling))

    created = await create_many(client, [*rows(30), *rows(1)])

    assert (created.status_code, created.json()["code"], pointers(created)) == (409, "email_taken", ["/17/email"])
    assert await total(client) == 1


async def test_an_address_that_comes_twice_is_named_where_it_comes_again(client: httpx.AsyncClient) -> None:
    created = await create_many(client, [*rows(30), *rows(1, email="N3@Example.com")])

    assert (created.status_code, pointers(created)) == (409, ["/30/email"])
    assert await total(client) == 0


async def test_addresses_are_compared_as_the_index_does(client: httpx.AsyncClient) -> None:
    body = rows(3)
    body[1]["email"], body[2]["email"] = "straße@example.com", "STRAßE@example.com"

    created = await create_many(client, body)

    assert (created.status_code, pointers(created)) == (409, ["/2/email"])


async def test_letter_case_is_not_a_matter_of_the_locale(contrib: DatabaseUrl) -> None:
    async with empty_database(contrib, TURKISH) as url:
        await migrate(url)
        app = create_app(Settings(database_url=url, log_level="warning"))
        async with app.lifespan(), client_of(app) as client:
            created = [
                await create_many(client, [row for email in pair for row in rows(1, email=email)]) for pair in SPELLINGS
            ]

    assert [(answer.status_code, pointers(answer)) for answer in created] == [(409, ["/1/email"])] * len(SPELLINGS)


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_text_that_cannot_be_seen_is_named(client: httpx.AsyncClient, name: str) -> None:
    created = await create_many(client, [*rows(1), *rows(1, name=name, specialty=name)])

    errors = [{"pointer": f"/1/{field}", "detail": UNREADABLE[name]} for field in ("name", "specialty")]
    assert problem_of(created) == invalid(*errors)


async def test_a_text_is_stored_in_one_spelling(client: httpx.AsyncClient) -> None:
    await create_many(client, rows(1, name=f"Ren{E_ACUTE}", specialty=f"Caf{E_ACUTE}"))

    found = (await client.get("/developers", params={"specialty": f" Caf{E_ACUTE} "})).json()["items"]

    assert [(developer["name"], developer["specialty"]) for developer in found] == [("Ren\u00e9", "Caf\u00e9")]


async def test_an_address_in_another_spelling_comes_twice(client: httpx.AsyncClient) -> None:
    created = await create_many(client, [row for email in SAME for row in rows(1, email=email)])

    assert (created.status_code, pointers(created)) == (409, ["/1/email"])


@pytest.mark.parametrize(
    "headers",
    [{**JSON, "Content-Encoding": "gzip"}, [*JSON.items(), ("Content-Type", "text/plain")]],
    ids=["compressed", "two types"],
)
async def test_what_is_not_plain_json_is_415(client: httpx.AsyncClient, headers: Any) -> None:
    created = await client.post("/developers/bulk", content=b"[{}]", headers=headers)

    assert (created.status_code, created.json()["code"]) == (415, "unsupported_media_type")


async def test_an_answer_does_not_repeat_all_that_is_wrong(client: httpx.AsyncClient) -> None:
    for bad in (dict.fromkeys(map(str, range(5_000)), 1), {"x" * 60_000: 1}, {"\0" * 9_000: 1}):
        created = await create_many(client, [bad])

        assert created.status_code == 422
        assert 4 <= len(pointers(created)) <= 100
        assert len(created.content) < 8 * 1024


async def test_every_bad_row_is_named(client: httpx.AsyncClient) -> None:
    body: list[Any] = rows(9)
    body[1]["email"] = "nobody"
    body[2] = None
    body[3] = {"name": "x" * 101, "email": "n3@example.com", "age": 3}
    body[4]["name"] = "  "
    body[5]["specialty"] = "\0"
    body[6]["name"] = 7

    created = await create_many(client, body)

    assert created.status_code == 422
    assert sorted(pointers(created)) == [
        "/1/email",
        "/2",
        "/3/age",
        "/3/name",
        "/3/specialty",
        "/4/name",
        "/5/specialty",
        "/6/name",
    ]
    assert await total(client) == 0


async def test_a_hundred_errors_are_enough(client: httpx.AsyncClient) -> None:
    created = await create_many(client, rows(5_000, email="nobody"))

    assert (created.status_code, pointers(created)) == (422, [f"/{n}/email" for n in range(100)])


@pytest.mark.parametrize("body", [[], rows(10_001), {}, rows(1)[0], "rows", None, 7])
async def test_what_is_no_array_of_one_to_ten_thousand_is_refused(client: httpx.AsyncClient, body: Any) -> None:
    created = await create_many(client, body)

    assert (created.status_code, pointers(created)) == (422, [""])


async def test_a_surrogate_is_named(client: httpx.AsyncClient) -> None:
    raw = b'[{"name": "Ada", "email": "a@example.com", "specialty": "\\ud800"}]'

    created = await client.post("/developers/bulk", content=raw, headers=JSON)

    assert (created.status_code, pointers(created)) == (422, ["/0/specialty"])


@pytest.mark.parametrize(
    ("raw", "errors"),
    [
        (b'["\\ud800"' + b',{"a":1}' * 20_000 + b"]", [("", "must hold 1 to 10000 items")]),
        (b"[[]" + b",[]" * 2_000_000 + b"]", [("", "must hold 1 to 10000 items")]),
        (b"[ null ,\n[] ]", [("/0", "must be an object"), ("/1", "must be an object")]),
        (b'[1,{"a":"' + b"x" * 70_000 + b'"}]', [("/1", "longer than 65536 characters")]),
        (b'{"a":"' + b"x" * 70_000, [("", "must be an array")]),
    ],
    ids=["surrogate", "arrays", "blanks", "long", "object"],
)
async def test_an_array_is_read_no_further_than_it_may_go(
    client: httpx.AsyncClient, raw: bytes, errors: list[tuple[str, str]]
) -> None:
    refused = await client.post("/developers/bulk", content=raw, headers=JSON)

    assert refused.status_code == 422
    assert [(error["pointer"], error["detail"]) for error in refused.json()["errors"]] == errors


@pytest.mark.parametrize(
    "raw",
    [b"[1", b"[1,", b"[1,]", b"[,1]", b"[1 2]", b"[1[2]", b"[1]]", b"[]1", b"[1]\0", b"[\xff]", b"[NaN]", b"", b"{"],
)
async def test_an_array_that_cannot_be_parsed_is_400(client: httpx.AsyncClient, raw: bytes) -> None:
    refused = await client.post("/developers/bulk", content=raw, headers=JSON)

    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (
            b"[" + b'{"a": "long enough to be in the middle"},\n' * 5_000 + b"]",
            "The body is not valid JSON: line 5001, column 1",
        ),
        (b'[\n{"a": 1},\n' + b'{"a": 2},' * 50 + b"\n]", "The body is not valid JSON: line 4, column 1"),
        (b'[{"a": 1},\n {"a": 1,}' + b',{"a": 1}' * 50_000 + b"]", "The body is not valid JSON: line 2, column 10"),
        (b'[{"a": "\xc3\xa4"},\n {"a": "\xff"}]', "The body is not UTF-8: line 2, column 9"),
        (b"[1]]", "The body is not valid JSON: line 1, column 4"),
    ],
    ids=["comma", "end", "middle", "encoding", "twice"],
)
async def test_where_an_array_cannot_be_parsed_is_told(client: httpx.AsyncClient, raw: bytes, detail: str) -> None:
    refused = await client.post("/developers/bulk", content=raw, headers=JSON)

    assert (refused.status_code, refused.json()["detail"]) == (400, detail)


async def test_a_byte_order_mark_before_an_array_is_passed_over(client: httpx.AsyncClient) -> None:
    body = codecs.BOM_UTF8 + json.dumps(rows(2)).encode()

    created = await client.post("/developers/bulk", content=body, headers=JSON)

    assert (created.status_code, created.json()) == (201, {"created": 2})


async def test_more_than_an_array_may_hold_goes_elsewhere(client: httpx.AsyncClient) -> None:
    many = await create_many(client, rows(10_001))
    large = await client.post("/developers/bulk", content=b" " * (8 * 1024 * 1024 + 1), headers=JSON)

    elsewhere = "`litestar developers import` takes any number"
    assert many.json()["errors"][0]["detail"] == f"must hold 1 to 10000 items, not 10,001; {elsewhere}"
    assert large.json()["detail"] == f"Request Entity Too Large: at most 8,388,608 bytes; {elsewhere}"


async def test_others_are_answered_while_slow_rows_are_checked(client: httpx.AsyncClient) -> None:
    slow = [{"name": "N", "email": f"n{n}@bücher{n}.example", "specialty": "ops"} for n in range(1_000)]
    checking = asyncio.create_task(create_many(client, [*slow, {}]))
    answered = 0

    while not checking.done():
        answered += (await client.get("/health/live")).status_code == 200
        await asyncio.sleep(0)

    assert pointers(await checking) == ["/1000/name", "/1000/email", "/1000/specialty"]
    assert answered > 20


@pytest.mark.parametrize(("size", "status"), [(7 * 1024 * 1024, 400), (8 * 1024 * 1024 + 1, 413)])
async def test_a_body_may_have_eight_mebibytes(client: httpx.AsyncClient, size: int, status: int) -> None:
    raw = b"[" + b" " * (size - 1)

    created = await client.post("/developers/bulk", content=raw, headers=JSON)

    assert created.status_code == status


async def test_too_large_a_body_is_refused_before_it_is_sent(client: httpx.AsyncClient) -> None:
    asked = []

    async def body() -> AsyncIterator[bytes]:
        asked.append("the body")
        yield b"[]"

    announced = {**JSON, "Content-Length": str(8 * 1024 * 1024 + 1), "Expect": "100-continue"}
    refused = await client.post("/developers/bulk", content=body(), headers=announced)

    assert (refused.status_code, asked) == (413, [])


async def test_a_body_that_trickles_is_not_waited_for(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.http.request_body._GRACE", 0.2)

    async with asyncio.timeout(10):
        answer = await client.post("/developers/bulk", content=trickle(b"[" * 1_000, 0.02), headers=JSON)

    assert problem_of(answer) == problem(408, "request_timeout", "The body took too long to arrive")
    assert answer.headers["connection"] == "close"


async def test_the_document_tells_the_limits(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()

    body = document["paths"]["/developers/bulk"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert (body["type"], body["minItems"], body["maxItems"]) == ("array", 1, 10_000)


def near_emails() -> st.SearchStrategy[str]:
    """Texts that look like addresses, whole or nearly."""
    label = st.text("aZ09-_+.é", min_size=1, max_size=8) | st.sampled_from(
        ["xn--", "x" * 63, "y" * 64, "test", "local"]
    )
    domain = st.lists(label, min_size=1, max_size=4).map(".".join)
    ending = st.sampled_from(["", ".com", ".test", ".Local", ".arpa", ".onion", ".x.invalid", ".c0m", ".a", "\n"])

    def join(parts: Iterable[str]) -> str:
        local, host, end = parts
        return f"{local}@{host}{end}"

    return st.tuples(label, domain, ending).map(join)


@settings(max_examples=1_000, deadline=None, database=None)
@given(near_emails() | st.emails())
def test_the_short_cut_accepts_what_the_library_accepts(email: str) -> None:
    if is_plain_email(email):
        try:
            validate_email(email, check_deliverability=False)
        except EmailNotValidError as error:
            pytest.fail(f"{email!r}: {error}")


async def test_the_service_before_this_one_answered_alike() -> None:
    bodies: list[Any] = [rows(1), rows(4)[1:], {}, [{"name": "Dev"}]]

    async with side_by_side() as (before, client):
        answers = [(await create_many(before, body), await create_many(client, body)) for body in bodies]

    assert [(old.status_code, new.status_code) for old, new in answers] == [(201, 201)] * 2 + [(422, 422)] * 2
    assert (
        [new.json() for _, new in answers[:2]]
        == [old.json() for old, _ in answers[:2]]
        == [
            {"created": 1},
            {"created": 3},
        ]
    )
