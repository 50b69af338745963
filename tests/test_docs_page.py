"""Docs page: somebody signs in there, and asks who they are."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.browser import browser, chromium
from tests.callers import PASSWORD
from tests.services import Service

ADA = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
FILL_IN = """
(input => {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, "%s");
  input.dispatchEvent(new Event("input", {bubbles: true}));
})(document.querySelector("#auth-bearer-value"))
"""


def test_with_a_token_the_page_shows_whose_it_is(tmp_path: Path) -> None:
    program = chromium() or pytest.skip("there is no Chromium here")
    service = Service(tmp_path / "data", ACCESS="token")
    try:
        service.wait_until_ready()
        url = f"http://127.0.0.1:{service.port}"
        with httpx.Client(base_url=url, trust_env=False) as client:
            client.post("/users", json=ADA)
            token = client.post("/sessions", json={"email": ADA["email"], "password": PASSWORD}).json()["token"]
        with browser(program) as page:

            def click(selector: str) -> None:
                page.until(f"document.querySelector('{selector}')")
                page.run(f"document.querySelector('{selector}').click()")

            me = "#operations-Users-users_read_caller"
            page.open(f"{url}/schema")
            click(".btn.authorize")
            page.until("document.querySelector('#auth-bearer-value')")
            page.run(FILL_IN % token)
            for button in (".auth-btn-wrapper .authorize", ".btn-done"):
                click(button)
            for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
                click(f"{me} {button}")
            page.until(f"/ada@example.com/.test(document.querySelector('{me} .live-responses-table')?.innerText)")
    finally:
        service.kill()
