"""Screenshot: the page of docs as a browser shows it, for the README.

    uv run .ci/screenshot.py http://127.0.0.1:8000

Fails where the page asks another host for anything.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser import browser, chromium  # noqa: E402  # after the path


def main(url: str) -> None:
    program = chromium()
    if program is None:
        raise SystemExit("Error: there is no Chromium: apt-get install chromium")
    with browser(program) as page:
        page.open(f"{url}/schema", height=800)
        page.until("document.querySelectorAll('.opblock').length > 5")
        picture = page.screenshot()
    foreign = [asked for asked in page.asked if not asked.startswith((f"{url}/", "data:"))]
    if foreign:
        raise SystemExit(f"Error: the page asks another host: {foreign}")
    (ROOT / "docs" / "page.png").write_bytes(picture)
    print(f"docs/page.png; {len(page.asked)} requests, all to {url}")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
