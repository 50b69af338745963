"""Docs: a document that is true, and pages that load nothing from another host."""

from __future__ import annotations

import re
import tomllib
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from app.database.engine import ROOT
from tests.problems import problem, problem_of


@pytest.fixture
async def document(client: httpx.AsyncClient) -> Any:
    return (await client.get("/schema/openapi.json")).json()


@pytest.mark.parametrize("path", ["/schema", "/schema/"])
async def test_the_page_names_no_other_host(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert re.findall(r'(?:src|href)="(.*?)"', page.text)
    assert "//" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self';")


@pytest.mark.parametrize("where", ["/schema", "/schema/"])
async def test_whatever_the_page_loads_is_served_here(client: httpx.AsyncClient, where: str) -> None:
    page = await client.get(where)

    paths = re.findall(r'(?:src|href)="(.*?)"', page.text)
    assert len(paths) > 3
    for path in paths:
        loaded = await client.get(urljoin(where, path))

        assert (loaded.status_code, path.startswith("/")) == (200, False)
        assert loaded.headers["content-type"].split(";")[0] in ("text/css", "text/javascript", "image/png")


@pytest.mark.parametrize(
    "path",
    ["/schema/nothing", "/schema/nothing.json", "/schema/assets/nothing.js"]
    + [
        "/schema/assets/%00",
        "/schema/assets/" + "x" * 256,
        "/schema/assets/swagger-ui.css/x",
        "/schema/assets/index.css",
    ]
    + ["/schema/assets", "/schema/assets/"],
)
async def test_a_page_that_is_not_there_is_a_problem(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert problem_of(answer) == problem(404, "not_found", "Not Found")


async def test_the_document_says_what_this_is(document: dict[str, Any]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert (document["openapi"], document["info"]["title"], document["info"]["version"]) == ("3.1.0", "Users", version)
    assert "RFC 9457" in document["info"]["description"]


async def test_every_route_is_in_the_document(app: Litestar, document: dict[str, Any]) -> None:
    served = {
        (route.path_format, method.lower())
        for route in app.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith("/schema")
        for method in route.methods
        if method not in ("OPTIONS", "HEAD")
    }

    assert served == {(path, method) for path, item in document["paths"].items() for method in item}


async def test_the_document_of_two_starts_is_the_same(document: dict[str, Any]) -> None:
    assert list(document["paths"]) == sorted(document["paths"])


async def test_every_operation_is_described_and_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            assert " " in operation["summary"]
            errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
            assert {"403", "500"} <= set(errors)
            for answer in errors.values():
                assert list(answer["content"]) == ["application/problem+json"]
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}


async def test_no_schema_shows_a_hash_and_only_bodies_a_password(document: dict[str, Any]) -> None:
    holding = {name for name, schema in document["components"]["schemas"].items() if "password" in str(schema)}

    assert holding == {"UserCreate", "SignIn", "PasswordChange", "NewPassword"}
    assert "hashed" not in str(document)
    assert not [name for name in document["components"]["schemas"] if not name.isalnum()]


async def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/users", "GET, HEAD, OPTIONS, POST"),
        ("/users/1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/users/", "GET, HEAD, OPTIONS, POST"),
        ("/health/live", "GET, HEAD, OPTIONS"),
        ("/schema/openapi.json", "GET, HEAD, OPTIONS"),
        ("/schema/assets/swagger-ui.css", "GET, HEAD, OPTIONS"),
    ],
)
async def test_every_method_of_a_path_is_named_once(client: httpx.AsyncClient, path: str, methods: str) -> None:
    options, refused = await client.options(path), await client.put(path)

    assert (options.status_code, options.headers["allow"]) == (204, methods)
    assert (problem_of(refused)["code"], refused.headers["allow"]) == ("method_not_allowed", methods)


async def test_a_change_may_be_a_merge_patch(document: dict[str, Any]) -> None:
    body = document["paths"]["/users/{user_id}"]["patch"]["requestBody"]["content"]

    assert body["application/merge-patch+json"] == body["application/json"]


async def test_an_id_is_an_integer_and_a_condition_a_header(document: dict[str, Any]) -> None:
    for item in (item for path, item in document["paths"].items() if "{" in path):
        for operation in item.values():
            number, *tags = operation["parameters"]

            assert (number["in"], number["schema"]) == ("path", {"type": "integer", "format": "int64"})
            if "412" not in operation["responses"]:
                continue
            assert {(tag["in"], tag["name"]) for tag in tags} == {("header", "If-Match"), ("header", "If-None-Match")}
            assert not any(tag.get("required") for tag in tags)


async def test_what_is_checked_is_in_the_document(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = set(re.findall(r"requestBody.*?schemas/(\w+)", re.sub("'responses'", "\n", str(document["paths"]))))
    name, email, password = (schemas["UserCreate"]["properties"][field] for field in ("name", "email", "password"))

    closed = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    assert closed == bodies
    assert (name["minLength"], name["maxLength"], email["format"], password["format"]) == (1, 100, "email", "password")
    for text in ("Ada", "Zo\u00eb", "\tAda ", "\N{WOMAN}\u200d\N{GIRL}", "\u5c0f"):
        assert re.search(name["pattern"], text), text
    for text in ("A\nda", "A\x1b", "A\u202eda", "\u200b", " \u2060\t", "\x00", "A\x85da"):
        assert not re.search(name["pattern"], text), text
    assert schemas["UserUpdate"]["properties"]["name"]["pattern"] == name["pattern"]


async def test_a_list_says_what_it_is_sorted_by_and_how_a_cursor_begins(document: dict[str, Any]) -> None:
    shown = {one["name"]: one for one in document["paths"]["/users"]["get"]["parameters"]}

    keys = ["id", "-id", "name", "-name", "email", "-email", "created_at", "-created_at"]
    assert shown["sort"]["schema"]["items"]["enum"] == keys
    assert [name for name, one in shown.items() if one["allowEmptyValue"]] == ["cursor"]


async def test_no_choice_has_only_one_member(document: dict[str, Any]) -> None:
    def choices(node: Any) -> list[Any]:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        found = [node[key] for key in ("oneOf", "anyOf") if isinstance(node, dict) and key in node]
        return found + [one for part in inner for one in choices(part)]

    assert all(len(found) > 1 for found in choices(document))


async def test_headers_of_answers_are_described(document: dict[str, Any]) -> None:
    described = {
        (path, method, status): set(answer.get("headers", ()))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for status, answer in operation["responses"].items()
        if answer.get("headers")
    }

    assert described["/users", "post", "201"] == {"ETag", "Idempotency-Replayed", "Location"}
    assert described["/users/{user_id}", "get", "200"] == described["/users/{user_id}", "get", "304"] == {"ETag"}
    assert described["/users", "get", "200"] == {"Link"}
    assert described["/health", "get", "503"] == {"Retry-After"}


async def test_examples_are_what_the_service_answers(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    users, user = document["paths"]["/users"], document["paths"]["/users/{user_id}"]["get"]["responses"]
    given = document["components"]["schemas"]["UserCreate"]["properties"]
    body = {name: field["examples"][0] for name, field in given.items()}

    created, again = await client.post("/users", json=body), await client.post("/users", json=body)
    listed, missing = await client.get("/users"), await client.get("/users/7")

    assert created.json() == users["post"]["responses"]["201"]["content"]["application/json"]["example"]
    assert listed.json() == users["get"]["responses"]["200"]["content"]["application/json"]["example"]
    for answer, responses in ((again, users["post"]["responses"]), (missing, user)):
        shown = responses[str(answer.status_code)]["content"]["application/problem+json"]["example"]
        assert problem_of(answer) == {name: value for name, value in shown.items() if name != "request_id"}


async def test_an_operation_has_a_short_name_that_stays(document: dict[str, Any]) -> None:
    names = {operation["operationId"] for item in document["paths"].values() for operation in item.values()}

    verbs = {"list", "create", "read", "update", "remove"}
    assert names >= {f"users_{verb}" for verb in verbs} | {"health", "health_ready"}
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}


async def test_numbers_that_grow_have_64_bits(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    grown = {
        (name, field): shown.get("format")
        for name, schema in schemas.items()
        for field, shown in schema.get("properties", {}).items()
        if field in ("id", "total", "page", "pages", "created")
    }
    queries = document["paths"]["/users"]["get"]["parameters"]

    assert set(grown.values()) == {"int64"}
    assert {field for _, field in grown} >= {"id", "total", "page", "pages"}
    assert {shown["schema"].get("format") for shown in queries if shown["name"] == "page"} == {"int64"}
    assert "format" not in schemas["Problem"]["properties"]["status"]


@pytest.mark.parametrize("path", ["/schema", "/schema/", "/schema/start.js", "/schema/openapi.json"])
async def test_what_may_change_is_asked_for_anew_but_not_sent_again(client: httpx.AsyncClient, path: str) -> None:
    first = await client.get(path)
    again = await client.get(path, headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
    other = await client.get(path, headers={"If-Match": '"x"'})

    assert (first.status_code, again.status_code, again.content, other.status_code) == (200, 304, b"", 412)
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
    assert first.headers["etag"] == again.headers["etag"]


async def test_a_file_that_the_browser_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/schema/assets/swagger-ui.css")
    again = await client.get("/schema/assets/swagger-ui.css", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first.headers["cache-control"] == again.headers["cache-control"] == "max-age=86400"
