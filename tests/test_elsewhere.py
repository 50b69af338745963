"""Elsewhere: a real socket on an address that is not the loopback's, in a network of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from anyio import to_thread

from app.settings.database_url import DatabaseUrl
from tests.databases import as_text
from tests.programs import program
from tests.services import ROOT

_NETWORK = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--net")
_PROGRAM = """
ip link set lo up && ip addr add 192.0.2.1/32 dev lo
for access in local token; do
    port=$((port + 8001))
    ACCESS=$access "$PYTHON" -m app --host 0.0.0.0 --port $port >&2 &
    served="$served $!"
    until curl -s -o /dev/null http://127.0.0.1:$port/health/live; do sleep 0.1; done
    for host in 127.0.0.1 192.0.2.1; do
        for path in health/live users; do curl -s -o /dev/null -w "%{http_code} " http://$host:$port/$path; done
    done
done
kill $served; wait
"""


@pytest.fixture
def network() -> tuple[str, ...]:
    """What runs a command in a network of its own. Whoever lacks the right to make one skips the test."""
    for name in ("unshare", "ip", "curl"):
        program(name)
    if subprocess.run([*_NETWORK, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no network of its own may be made here")
    return _NETWORK


async def test_local_refuses_an_address_that_token_answers(database: DatabaseUrl, network: tuple[str, ...]) -> None:
    url = as_text(database)
    if "host=" not in url:
        pytest.skip("the database is not on a unix socket, which reaches into any network")
    environment = {**os.environ, "PYTHON": sys.executable, "DATABASE_URL": url}

    def ask() -> str:
        command = [*network, "bash", "-euc", f"port=0 served=\n{_PROGRAM}"]
        return subprocess.check_output(command, cwd=ROOT, env=environment, text=True, timeout=120)

    # Live and a list, from this machine and from elsewhere, first with ACCESS=local, then with ACCESS=token.
    assert (await to_thread.run_sync(ask)).split() == ["200", "200", "403", "403", "200", "401", "200", "401"]
