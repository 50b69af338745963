"""README: what it shows is what happens, and what it lists is what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.database.engine import ROOT
from app.settings import Settings

README = (ROOT / "README.md").read_text()
_TOKEN = re.compile(r"lus_[\w-]{51}")
_EXPIRES = re.compile(r'"expires_at":"[\d-]{10}T[\d:.]+Z"')
_OF_THE_MOMENT = re.compile(r'"request_id":"[0-9a-f-]{36}"')


def block(language: str, heading: str = "") -> str:
    """The first block in a language after a heading."""
    return README.split(f"\n## {heading}\n")[-1].split(f"```{language}\n")[1].split("```")[0]


def table(heading: str) -> list[list[str]]:
    """The rows of a section's table, without its head."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def session(heading: str = "") -> list[tuple[list[str], str]]:
    """The words of each command of a curl session, and what it prints."""
    shown = []
    text = README.split(f"\n## {heading}\n")[1] if heading else README
    for part in text.split("```console\n")[1].split("```")[0].split("$ curl ")[1:]:
        command, _, printed = part.partition("\n")
        shown.append((shlex.split(command), printed.rstrip("\n")))
    return shown


async def curl(client: httpx.AsyncClient, words: list[str]) -> str:
    """What curl would print."""
    options: dict[str, str] = {}
    url = ""
    given = iter(words)
    for word in given:
        if word.startswith("-"):
            options[word] = next(given)
        else:
            url = word.removeprefix("localhost:8000")
    body = options.pop("--json", None)
    name, _, value = options.pop("-H", "X-Nothing: ").partition(": ")
    method = options.pop("-X", "GET" if body is None else "POST")
    assert not options
    headers = {name: value} | ({"Content-Type": "application/json"} if body else {})
    return (await client.request(method, url, content=body, headers=headers)).text


async def test_the_curl_session_prints_what_the_readme_shows(client: httpx.AsyncClient) -> None:
    shown, printed = [], []
    for words, output in session():
        shown.append((words, _OF_THE_MOMENT.sub("", output)))
        printed.append((words, _OF_THE_MOMENT.sub("", await curl(client, words))))

    assert printed == shown
    assert len(shown) > 5


async def test_the_session_from_sign_up_to_sign_out_is_what_the_readme_shows(remote: httpx.AsyncClient) -> None:
    tokens: dict[str, str] = {}
    shown: list[str] = []
    printed: list[str] = []
    for words, output in session("Signing in"):
        found = await curl(remote, [_TOKEN.sub(lambda match: tokens[match[0]], word) for word in words])
        if token := _TOKEN.search(output):
            tokens[token[0]] = msgspec.json.decode(found)["token"]
        for said, into in ((output, shown), (found, printed)):
            into.append(_OF_THE_MOMENT.sub("", _TOKEN.sub("", _EXPIRES.sub("", said))))

    assert printed == shown
    assert len(tokens) == 1


def test_the_commands_are_the_two_that_ci_and_a_stranger_run() -> None:
    commands = [line.split("#")[0].strip() for line in block("sh").splitlines()]

    assert commands == ["pip install uv && uv run litestar run", "pip install uv && uv run pytest"]
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("pip install uv && uv run pytest")


def test_every_setting_is_in_the_table_with_its_default() -> None:
    defaults: dict[str, Any] = {f"`{field.name.upper()}`": field.default for field in msgspec.structs.fields(Settings)}

    rows = {row[0]: row[2] for row in table("Settings")}

    assert set(rows) == set(defaults)
    for name, default in defaults.items():
        if default not in (None, ()):
            written = str(default).lower() if isinstance(default, bool) else str(default)
            assert rows[name] == f"`{written}`", name


def test_the_map_names_every_wing() -> None:
    drawn = re.findall(r"^  (\w+)/  +", block("text", "The map of the house"), re.MULTILINE)

    assert sorted(drawn) == sorted(path.parent.name for path in (ROOT / "app").glob("*/__init__.py"))


async def test_the_routes_are_those_of_the_document(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()

    listed = {row[0].strip("`") for row in table("What it answers")}

    # Other resources have pages of their own.
    shown = {route.split("/")[1] for route in listed}
    served = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert listed == {route for route in served if route.split("/")[1] in shown}
    assert {"users", "health", "metrics"} <= shown


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_what_the_readme_links_to_is_there(link: str) -> None:
    assert (ROOT / Path(link)).exists()
