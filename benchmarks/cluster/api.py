"""API: what Patroni, etcd and the service say over HTTP."""

import json
import sys
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

ANSWER_SECONDS = 2
SWITCH_SECONDS = 60


def ask(port: int, path: str, body: dict[str, str] | None = None) -> dict[str, Any] | None:
    """JSON of an API on this machine; nothing where it does not answer, or refuses."""
    request = Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode() if body else None)
    try:
        with urlopen(request, timeout=SWITCH_SECONDS if body else ANSWER_SECONDS) as answer:
            text = answer.read().decode()
    except (URLError, OSError) as error:
        if body:
            print(f"{path}: {error}", file=sys.stderr)
        return None
    return json.loads(text) if text.startswith("{") else {"said": text}
