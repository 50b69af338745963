"""Mounting: below a path of its own, behind proxies that take it off and those that do not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from litestar import Litestar

from app.settings import SettingsError, load_settings
from tests.browser import browser, chromium
from tests.clients import client_of
from tests.problems import problem, problem_of
from tests.programs import program
from tests.services import ROOT, Service, _free_port, eventually

NOT_FOUND = problem(404, "not_found", "Not Found")


@contextmanager
def haproxy(folder: Path, port: int) -> Iterator[str]:
    """A proxy that takes `/api` off; its URL."""
    proxy = program("haproxy")
    front = _free_port()
    (folder / "haproxy.cfg").write_text(
        "defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n"
        f"frontend f\n bind 127.0.0.1:{front}\n http-request replace-path /api(/.*) \\1\n default_backend b\n"
        f"backend b\n server s 127.0.0.1:{port}\n"
    )
    process = subprocess.Popen([proxy, "-db", "-f", str(folder / "haproxy.cfg")], stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{front}/api"
    finally:
        process.kill()
        process.wait()


def check_mounted(url: str) -> None:
    """Follow every address that the service gives out."""
    with httpx.Client(trust_env=False) as client:
        eventually(lambda: is_alive(client, url))
        created = [sign_up_at(client, url, number) for number in range(3)]
        page = client.get(f"{url}/users?size=1")
        links = dict(re.findall(r'<(.*?)>; rel="(\w+)"', page.headers["link"]))
        shown = client.get(f"{url}/schema")
        document = client.get(urljoin(f"{url}/schema/start.js", "openapi.json"))

        assert [answer.headers["location"] for answer in created] == ["/api/users/1", "/api/users/2", "/api/users/3"]
        assert client.get(urljoin(url, "/api/users/1")).json() == created[0].json()
        assert {rel: path for path, rel in links.items()}["next"] == "/api/users?size=1&page=2"
        assert all(client.get(urljoin(url, path)).status_code == 200 for path in links)
        for spelling in (f"{url}/schema", f"{url}/schema/"):
            assert client.get(spelling).status_code == 200
            for path in re.findall(r'(?:src|href)="(.*?)"', client.get(spelling).text):
                assert client.get(urljoin(spelling, path)).status_code == 200, path
        assert "//" not in shown.text
        assert document.json()["servers"] == [{"url": "/api"}]


def is_alive(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/health/live").status_code == 200
    except httpx.ConnectError:
        return False  # A proxy that has just been started does not listen yet.


def check_page(url: str) -> None:
    """Begin with a cursor on the page, as a person would; nothing may come from another host."""
    program = chromium() or pytest.skip("there is no Chromium here: everything but the page was tried")
    listing = "document.querySelector('#operations-Users-users_list')"
    with browser(program) as page:
        page.open(f"{url}/schema")
        page.until(listing)
        for button in (".opblock-summary-control", ".try-out__btn", "[data-param-name=cursor] [type=checkbox]"):
            page.until(f"{listing}.querySelector('{button}')")
            page.run(f"{listing}.querySelector('{button}').click()")
        page.until(f"{listing}.querySelector('.execute')")
        page.run(f"{listing}.querySelector('.execute').click()")
        page.until(f"/next_cursor.*null/.test({listing}.querySelector('.live-responses-table')?.innerText)")

    assert f"{url}/users?size=20&cursor=" in page.asked
    assert [asked for asked in page.asked if not asked.startswith((f"{url}/", "data:"))] == []


def sign_up_at(client: httpx.Client, url: str, number: int) -> httpx.Response:
    person = {"name": "Ada", "email": f"ada{number}@example.com", "password": "correct horse"}
    return client.post(f"{url}/users", json=person)


def test_behind_a_proxy_that_takes_the_prefix_off(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", ROOT_PATH="/api/")
    try:
        service.wait_until_ready()
        with haproxy(tmp_path, service.port) as url:
            check_mounted(url)
            check_page(url)
    finally:
        service.kill()


def test_below_a_prefix_that_the_server_knows(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", "--url-path-prefix=/api")
    try:
        service.wait_until_ready()
        check_mounted(f"http://127.0.0.1:{service.port}/api")
        assert f"Docs at http://127.0.0.1:{service.port}/api/schema" in service.log.read_text()
        check_page(f"http://127.0.0.1:{service.port}/api")
    finally:
        service.kill()


@pytest.fixture
async def mounted(client: httpx.AsyncClient, app: Litestar) -> httpx.AsyncClient:
    """A client of a service whose server mounts it below `/api`, before empty tables."""
    below = client_of(app)
    below._transport.root_path = "/api"  # type: ignore[attr-defined]
    return below


@pytest.mark.parametrize("path", ["/x/api/users", "/apiusers", "/api/api/users", "/api//users", "/api%2Fusers"])
async def test_the_prefix_stands_once_and_in_front(mounted: httpx.AsyncClient, path: str) -> None:
    answer = await mounted.get(httpx.URL("http://localhost").copy_with(raw_path=path.encode()))

    assert problem_of(answer) == NOT_FOUND


async def test_a_prefix_that_looks_like_a_resource_is_none(client: httpx.AsyncClient, app: Litestar) -> None:
    below = client_of(app)
    below._transport.root_path = "/users/"  # type: ignore[attr-defined]

    person = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
    created = await below.post("/users/users", json=person)
    listed = await below.get("/users/users?size=1")

    assert created.headers["location"] == "/users/users/1"
    assert listed.headers["link"].endswith('</users/users?size=1&page=1>; rel="last"')
    assert (await below.get("/users/users/1")).json() == created.json()


async def test_the_container_may_ask_the_server_itself(mounted: httpx.AsyncClient) -> None:
    assert [(await mounted.get(path)).status_code for path in ("/health/live", "/api/health/live")] == [200, 200]


@pytest.mark.parametrize("path", ["api", "/a b", "/api/..", "//", "/api//x", "https://example.com/api", "/é"])
def test_a_prefix_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(SettingsError, match=r"^ROOT_PATH must be a path such as /api$"):
        load_settings({"ROOT_PATH": path}, dotenv=ROOT / "nothing")
