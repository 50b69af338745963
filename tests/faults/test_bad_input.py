"""Bad input: whatever a client sends, the failure is the client's and is told as a problem."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.faults.answers import PROBLEM_JSON
from tests.faults.services import ADA, COLLECTIONS, ada

JSON = {"Content-Type": "application/json"}


def body(**fields: Any) -> bytes:
    return json.dumps({**ADA, **fields}).encode()


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_JSON), answer.text
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        body()[:-1],
        body()[:-10],
        body() + b"}",
        b"nonsense",
        b"NaN",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b"[" * 100_000,
        b'{"name":' * 100_000,
        b"[" * 30_000 + b"]" * 30_000,
        b'{"extra": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"name": "\xff", "email": "a@example.com", "password": "correct horse"}',
        b"\xef\xbb\xbf" + body(),
        body().decode().encode("utf-16"),
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\x00"}',
        b"name=Ada&email=ada@example.com",
    ],
    ids=range(20),
)
async def test_what_cannot_be_parsed_is_400(client: httpx.AsyncClient, content: bytes) -> None:
    for method, path in (("POST", "/users"), ("PATCH", "/users/1")):
        answer = await client.request(method, path, content=content, headers=JSON)

        is_large = len(content) > 64 * 1024
        assert_problem(answer, *((413, "body_too_large") if is_large else (400, "malformed_request")))


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        (b"[]", [""]),
        (b"null", [""]),
        (b'"text"', [""]),
        (b"12", [""]),
        (b"{}", ["/email", "/name", "/password"]),
        (body(name=None, email=None, password=None), ["/email", "/name", "/password"]),
        (body(name=1, email=[], password={}), ["/email", "/name", "/password"]),
        (body(name="", password="1234567"), ["/name", "/password"]),
        (body(name="  ", email="  "), ["/email", "/name"]),
        (body(name="x" * 101, password="x" * 129), ["/name", "/password"]),
        (body(email="a" * 250 + "@example.com"), ["/email"]),
        (body(name="a\0b", email="a\0@example.com", password="\0" * 10), ["/email", "/name", "/password"]),
        (
            b'{"name": "\\ud800", "email": "\\udfff@example.com", "password": "\\ud800\\ud800 1234"}',
            ["/email", "/name", "/password"],
        ),
        (body(email="Al <a@b.c>"), ["/email"]),
        (body(email="Al <a@example.com>"), ["/email"]),
        (body(email="a@b@example.com"), ["/email"]),
        (body(email="a@localhost"), ["/email"]),
        (body(email="a@[127.0.0.1]"), ["/email"]),
        (body(email="a@example.com\n"), []),
        (body(email="a\r\nBcc: b@example.com"), ["/email"]),
        (body(extra=1), ["/extra"]),
        (body(id=1, version=7, hashed_password="x"), ["/hashed_password", "/id", "/version"]),
        (body(**{"a/b~c": 1}), ["/a~1b~0c"]),
        (body(**{"\ud800": 1}), ["/?"]),
    ],
)
async def test_what_is_not_acceptable_is_422(client: httpx.AsyncClient, content: bytes, pointers: list[str]) -> None:
    answer = await client.post("/users", content=content, headers=JSON)

    if pointers == []:
        assert answer.status_code == 201
        return
    assert_problem(answer, 422, "validation_error")
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == pointers
    assert "correct horse" not in answer.text


@pytest.mark.parametrize("field", ["name", "email"])
@pytest.mark.parametrize("value", [None, 1, "", "\0", [], {}, True])
async def test_a_change_to_nothing_is_422(client: httpx.AsyncClient, field: str, value: object) -> None:
    await client.post("/users", json=ada(1))

    answer = await client.patch("/users/1", json={field: value})

    assert_problem(answer, 422, "validation_error")
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/msgpack",
        "application/json; charset=utf-16",
        "application/json; charset=",
        "application/json; q=1; charset=latin1",
        "application/json; charset=utf-8; charset=utf-16",
        'application/json; charset="utf\\-16"',
        'application/json; a="; charset=utf-8',
        "application/json; charset = utf-8",
        "application/json, application/json",
        "application/json-patch+json",
        "application/merge-patch+json; charset=utf-16",
        "application/vnd.api+json",
        "application/problem+json",
        "application/+json",
        "application/json" + " ;" * 20_000 + "x",
        "json",
        ";",
        "\xe9",
    ],
)
async def test_another_content_type_is_415(client: httpx.AsyncClient, method: str, content_type: str) -> None:
    await client.post("/users", json=ada(1))

    headers = {b"Content-Type": content_type.encode("latin-1")}
    path, content = ("/users", body()) if method == "POST" else ("/users/1", b'{"name": "Eve"}')
    answer = await client.request(method, path, content=content, headers=headers)

    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        'application/json ; a="; charset=utf-16"; ; charset="UTF\\-8" ;',
        "application/json;",
    ],
)
async def test_json_in_utf_8_is_read_however_that_is_said(client: httpx.AsyncClient, content_type: str) -> None:
    created = await client.post("/users", content=body(), headers={"Content-Type": content_type})
    changed = await client.patch("/users/1", content=b'{"name": "Eve"}', headers={"Content-Type": content_type})

    assert (created.status_code, changed.status_code) == (201, 200)


async def test_a_merge_patch_is_for_changes(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    await client.post("/users", json=ada(1))

    changed = await client.patch("/users/1", content=b'{"name": "Eve"}', headers=headers)
    created = await client.post("/users", content=body(), headers=headers)

    assert (changed.status_code, changed.json()["name"]) == (200, "Eve")
    assert_problem(created, 415, "unsupported_media_type")


async def test_two_content_types_and_a_compressed_body_are_415(client: httpx.AsyncClient) -> None:
    twice = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]
    zipped = {**JSON, "Content-Encoding": "gzip"}

    for headers in (twice, zipped):
        refused = await client.post("/users", content=body(), headers=headers)

        assert_problem(refused, 415, "unsupported_media_type")


async def test_no_content_type_is_415(client: httpx.AsyncClient) -> None:
    assert_problem(await client.post("/users", content=body()), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("page=0", "validation_error"),
        ("page=-1", "validation_error"),
        ("page=", "validation_error"),
        ("page=abc", "validation_error"),
        ("page=1.5", "validation_error"),
        ("page=1&page=2", "validation_error"),
        ("page=%00", "validation_error"),
        ("page=NaN", "validation_error"),
        ("page=1e0", "validation_error"),
        ("page=1.0", "validation_error"),
        ("size=2.0", "validation_error"),
        ("size=20e-1", "validation_error"),
        ("page=-" + "9" * 5000, "validation_error"),
        ("size=0", "validation_error"),
        ("size=101", "validation_error"),
        ("size=-9223372036854775809", "validation_error"),
        ("sort=", "validation_error"),
        ("sort=password", "validation_error"),
        ("sort=id,id", "validation_error"),
        ("sort=hashed_password", "validation_error"),
        ("q=ab", "validation_error"),
        ("q=%00%00%00", "validation_error"),
        ("name=%00", "validation_error"),
        ("name=", "validation_error"),
        ("name=%20", "validation_error"),
        ("name=a%0Ab", "validation_error"),
        ("name=%E2%80%8B", "validation_error"),
        ("name=" + "x" * 101, "validation_error"),
        ("email=", "validation_error"),
        ("email=ada", "validation_error"),
        ("email=" + "x" * 250 + "@example.com", "validation_error"),
        ("created_after=yesterday", "validation_error"),
        ("created_after=0.5", "validation_error"),
        ("created_after=1700000000", "validation_error"),
        ("created_after=2026-01-01", "validation_error"),
        ("created_after=2026-01-01T00:00:00", "validation_error"),
        ("created_after=2026-13-01T00:00:00Z", "validation_error"),
        ("created_after=0001-01-01T00:00:00%2B23:59", "validation_error"),
        ("created_before=9999-12-31T23:59:59-23:59", "validation_error"),
        ("emial=a@example.com", "unknown_parameter"),
        ("%00=1", "unknown_parameter"),
        ("cursor=&page=1", "validation_error"),
        ("cursor=nonsense", "invalid_cursor"),
        ("cursor=AAAAAAAAAAAAAAAA", "invalid_cursor"),
        ("cursor=" + "A" * 1999, "invalid_cursor"),
        ("cursor=%C3%A9", "invalid_cursor"),
    ],
)
async def test_a_bad_parameter_is_422(client: httpx.AsyncClient, query: str, code: str) -> None:
    answer = await client.get(f"/users?{query}")

    assert_problem(answer, 422, code)
    assert all(set(error) == {"detail", "parameter"} for error in answer.json()["errors"])


@pytest.mark.parametrize(
    "query",
    [
        "page=9223372036854775807",
        "page=9223372036854775808",
        "page=" + "9" * 40,
        "page=" + "9" * 5000,
        "page=9223372036854775807&size=100",
        "q=%25%25%25",
        "q=___",
        "q=%5C%5C%5C",
        "q='%3B--",
        "&",
        "&&",
        "q=%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80",
        "created_after=0001-01-01T00:00:00Z",
        "created_before=9999-12-31T23:59:59Z",
        "cursor=",
        "sort=-created_at,name",
    ],
)
async def test_an_odd_parameter_finds_nobody(client: httpx.AsyncClient, query: str) -> None:
    await client.post("/users", json=ada(1))

    answer = await client.get(f"/users?{query}")

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("query", ["name=%ff", "email=%ED%A0%80", "cursor=%ff%fe", "%ff=1"])
async def test_a_parameter_that_is_no_text_is_400(client: httpx.AsyncClient, query: str) -> None:
    assert_problem(await client.get(f"/users?{query}"), 400, "malformed_request")


@pytest.mark.parametrize(
    ("user_id", "status"),
    [
        ("abc", 422),
        ("1.5", 422),
        ("1.0", 422),
        ("-1", 404),
        ("%00", 422),
        ("%ff", 422),
        ("%D9%A1", 422),
        ("1e0", 422),
        ("10e-1", 422),
        ("+1", 422),
        ("01", 422),
        ("1_", 422),
        ("0x1", 422),
        ("9" * 19, 404),
        ("9" * 40, 404),
        ("9" * 5000, 404),
        ("-" + "9" * 40, 404),
        (str(-(2**63)), 404),
        (str(-(2**63) - 1), 404),
        ("true", 422),
        ("null", 422),
        ("1%2F2", 404),
        ("..%2F1", 404),
        ("%20", 422),
        ("1%20", 422),
        ("1%0A", 422),
    ],
)
async def test_an_odd_id_is_nobody(client: httpx.AsyncClient, user_id: str, status: int) -> None:
    """No row has a number below 1, and the changes would be good ones if one had."""
    first = await client.post("/users", json=ada(1))
    eve = {"name": "Eve"}
    password = {"new_password": "another battery"}
    one = f"/users/{user_id}"
    items = [f"{path}/{user_id}" for path in COLLECTIONS]
    requests: list[tuple[str, str, Any]] = [
        *[(method, path, None) for method in ("GET", "HEAD", "DELETE") for path in items],
        *[("PATCH", path, eve) for path in items],
        *[(method, f"{one}/account", content) for method, content in (("GET", None), ("PATCH", {"active": False}))],
        ("PUT", f"{one}/password", password),
        ("POST", f"{one}/password-resets", None),
    ]

    answers = [(method, path, await client.request(method, path, json=content)) for method, path, content in requests]

    assert [
        (method, path, answer.status_code) for method, path, answer in answers if answer.status_code != status
    ] == []
    assert (await client.get("/users/1")).json() == first.json()


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(dict.fromkeys(map(str, range(5_000)), 1)).encode(),
        json.dumps({"x" * 60_000: 1}).encode(),
        json.dumps({"\0" * 9_000 + str(n): 1 for n in range(1)}).encode(),
    ],
    ids=["names", "name", "escapes"],
)
async def test_an_answer_does_not_repeat_all_that_is_wrong(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/users", content=content, headers=JSON)

    assert_problem(answer, 422, "validation_error")
    assert 4 <= len(answer.json()["errors"]) <= 100
    assert len(answer.content) < 8 * 1024


@pytest.mark.parametrize("name", ["ab", "a{}", "page", "x" * 60 + "{}"])
async def test_a_query_has_a_hundred_parameters_at_most(client: httpx.AsyncClient, name: str) -> None:
    fitting = await client.get("/users?" + "&".join(name.format(n) + "=1" for n in range(100)))
    refused = await client.get("/users?" + "&".join(name.format(n) for n in range(15_000))[:65_000])

    assert fitting.status_code == 422
    assert len(fitting.json()["errors"]) <= 100
    assert_problem(refused, 422, "validation_error")
    assert refused.json()["errors"] == [{"detail": "at most 100 parameters"}]


async def test_the_name_of_a_parameter_is_cut(client: httpx.AsyncClient) -> None:
    answer = await client.get("/users?" + "x" * 5_000)

    assert_problem(answer, 422, "unknown_parameter")
    assert answer.json()["errors"] == [{"detail": "unknown", "parameter": "x" * 64 + "…"}]


@pytest.mark.parametrize(
    ("tag", "status", "code"),
    [(tag, 400, "malformed_request") for tag in ("1", '"1', "W/", ",,,", '"\x7f"', "\xff", "")]
    + [(tag, 412, "precondition_failed") for tag in ('""', '"' + "9" * 5000 + '"', '"-1"', '"٢"')],
)
async def test_an_odd_tag_matches_nothing(client: httpx.AsyncClient, tag: str, status: int, code: str) -> None:
    await client.post("/users", json=ada(1))

    read = await client.get("/users/1", headers={b"If-None-Match": tag.encode("utf-8")})
    changed = await client.patch("/users/1", json={"name": "Eve"}, headers={b"If-Match": tag.encode("utf-8")})

    assert read.status_code == 200
    assert_problem(changed, status, code)


@pytest.mark.parametrize("request_id", ["", " ", "a b", "x" * 129, "\xff\xfe", "a\tb", '"', "{}"])
async def test_an_odd_request_id_is_replaced(client: httpx.AsyncClient, request_id: str) -> None:
    answer = await client.get("/users/1", headers={b"X-Request-Id": request_id.encode("latin-1")})

    assert_problem(answer, 404, "not_found")
    assert len(answer.headers["x-request-id"]) == 36


@pytest.mark.parametrize(
    "host", ["", "example.com", "localhost.example.com", "127.0.0.1.example.com", "[::1", "\xff", "a b"]
)
async def test_an_odd_host_is_403(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/users", headers={b"Host": host.encode("latin-1")})

    assert_problem(answer, 403, "forbidden")


@pytest.mark.parametrize("method", ["PUT", "TRACE", "BREW"])
async def test_an_odd_method_is_405(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/users/1")

    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/nowhere", "/users//1", "/%00", "/%ff", "/users/1/2", "/" + "x" * 5000, "/é"])
async def test_an_odd_path_is_404(client: httpx.AsyncClient, path: str) -> None:
    assert_problem(
        await client.get(httpx.URL("http://localhost").copy_with(raw_path=quote(path, safe="/%").encode())),
        404,
        "not_found",
    )
