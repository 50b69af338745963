"""Load: wrk as a subprocess, its figures as a Load, and no error forgiven."""

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import burst

SCRIPT = Path(__file__).with_name("load.lua")
TIMEOUT_SECONDS = 30
REPEATABLE = tuple(f"{made}{how}" for made in ("developer", "create") for how in ("", "_keyed", "_again"))
"""Without a key, with a key of its own, and the same request time and again."""
WRITING = ("mixed", "bulk", *REPEATABLE)
"""The kinds of traffic that leave rows behind."""
ERRORS = ("connect", "read", "write", "status", "timeout")
_runs = itertools.count()


class LoadError(Exception):
    """A request failed, or was answered with a status that the workload does not expect."""


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Traffic:
    """What to send: `kind` is one of load.lua's, `path` is for the kind `path` alone.

    Each connection waits for its answer, then for `pause_ms`, then sends the next request.
    """

    kind: str
    connections: int
    path: str = "/"
    pause_ms: int = 0


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: `apt-get install wrk` or `brew install wrk`")


def command(port: int, traffic: Traffic, *, users: int, seconds: float, seed: int) -> list[str]:
    """`seed` decides which ids are read: the same for all contestants of a round."""
    token = f"{os.getpid():x}-{time.time_ns():x}-{next(_runs)}"
    return [
        *("wrk", "--threads", "1", "--connections", str(traffic.connections), "--latency"),
        *("--duration", f"{max(1, round(seconds))}s", "--timeout", f"{TIMEOUT_SECONDS}s"),
        *("--script", str(SCRIPT), f"http://127.0.0.1:{port}", "--"),
        *(traffic.kind, traffic.path, str(users), token, str(seed), str(traffic.pause_ms)),
    ]


def read(output: str) -> Load:
    figures = json.loads(output.strip().splitlines()[-1])
    errors = {kind: figures[kind] for kind in ERRORS if figures[kind]}
    if errors:
        raise LoadError(f"{figures['requests']} requests, errors: {errors}")
    return Load(
        requests=figures["requests"],
        seconds=figures["microseconds"] / 1e6,
        p50_ms=figures["p50"] / 1e3,
        p99_ms=figures["p99"] / 1e3,
    )


def run(port: int, traffic: Traffic, *, users: int, seconds: float, seed: int) -> Load:
    """Send for so many whole seconds, or in bursts. Raises: LoadError."""
    if traffic.kind == "burst":
        taken = sorted(burst.run(port, traffic.connections, users=users, seed=seed))
        p50, p99 = (taken[int(len(taken) * part)] * 1e3 for part in (0.5, 0.99))
        return Load(len(taken), sum(taken) / traffic.connections, p50, p99)
    arguments = command(port, traffic, users=users, seconds=seconds, seed=seed)
    return read(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


@contextmanager
def beside(port: int, traffic: Traffic | None, *, users: int, seconds: float, seed: int) -> Iterator[None]:
    """Send `traffic` in the background, from a second before the body until after it. Raises: LoadError."""
    if traffic is None:
        yield
        return
    arguments = command(port, traffic, users=users, seconds=seconds + 2, seed=seed)
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(1)
        yield
        output, _ = process.communicate(timeout=seconds + TIMEOUT_SECONDS)
    finally:
        process.kill()
    read(output)
