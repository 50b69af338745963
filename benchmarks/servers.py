"""Servers: the contestants, how each is started, and what its processes cost."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.postgres import ROOT, Database, Owner

START_SECONDS = 30
POLL_SECONDS = 0.005

UVICORN = ("uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
BYTECODE = Path(tempfile.gettempdir()) / "benchmarks-bytecode"
SERVICE = Path(__file__).parent / ".service"
FASTIFY = Path(__file__).parent / "peers" / "fastify"
GRANIAN = ("granian", "--interface", "asgi", "--workers", "1", "--log-level", "warning")


@dataclass(frozen=True)
class Server:
    """A contestant: one worker on a port of its own."""

    name: str
    title: str
    arguments: tuple[str, ...]
    owner: Owner = "peers"
    has_cursor: bool = False
    writes: bool = True
    folder: Path = ROOT
    """The checkout that it is of; the Python is that of its own environment, if it has one."""

    @property
    def command(self) -> tuple[str, ...]:
        if self.arguments[0] == "node":
            return self.arguments
        own = (SERVICE if self.folder == ROOT else self.folder / ".venv") / "bin/python"
        return (str(own) if self.owner == "ours" and own.exists() else sys.executable, "-m", *self.arguments)

    @property
    def exists(self) -> bool:
        if self.arguments[0] == "node":
            return all(map(shutil.which, ("node", "npm")))
        return self.owner == "peers" or (ROOT / "app" / "__init__.py").exists()


SERVERS = {
    server.name: server
    for server in (
        Server("textbook", "FastAPI, textbook", (*UVICORN, "benchmarks.peers.textbook:app")),
        Server("stock", "Litestar + AA, stock", (*GRANIAN, "benchmarks.peers.stock:app")),
        Server("ours", "this service", ("app", "--workers", "1"), "ours", has_cursor=True),
        Server("bare", "bare ASGI + asyncpg", (*GRANIAN, "benchmarks.peers.bare:app"), has_cursor=True),
        Server("fastify", "Fastify + pg", ("node", str(FASTIFY / "server.mjs")), has_cursor=True, writes=False),
    )
}


def install_service() -> None:
    """Give this service an environment as its image has it: of the pydantic and the OpenTelemetry of its development
    Litestar would import all that is there."""
    environment = os.environ | {"UV_PROJECT_ENVIRONMENT": str(SERVICE)}
    subprocess.run(("uv", "sync", "--quiet", "--no-dev"), cwd=ROOT, env=environment, check=True)


def install_fastify() -> None:
    """Fetch what its package.json names, the first time."""
    if not (FASTIFY / "node_modules").exists():
        npm = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent")
        subprocess.run(npm, cwd=FASTIFY, check=True)


def tree_cpu_seconds(root: psutil.Process) -> float:
    """User and system CPU of the process, of all below it, and of those of them that have ended."""
    while True:
        try:
            return sum(sum(process.cpu_times()[:4]) for process in tree(root))
        except psutil.NoSuchProcess as gone:
            # One ended while it was being read: its CPU is its parent's now, so read all of them again.
            if gone.pid == root.pid:
                raise


def tree(root: psutil.Process) -> list[psutil.Process]:
    return [root, *root.children(recursive=True)]


class Running:
    """A started server. `start_seconds`: from the start of its process to its first answer to a GET by id."""

    def __init__(self, server: Server, database: Database, **settings: str) -> None:
        self.server = server
        self.database = database
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory()
        self._log = Path(self._folder.name) / "log"
        environment = (
            os.environ | database.environment | {"ACCESS": "open", "PYTHONPYCACHEPREFIX": str(BYTECODE)} | settings
        )
        # Production has its bytecode; where none may be written each start would compile everything.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        arguments = [*server.command, "--host", "127.0.0.1", "--port", str(self.port)]
        started_at = time.perf_counter()
        with self._log.open("w") as log:
            self._popen = subprocess.Popen(
                arguments, cwd=server.folder, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        self.process = psutil.Process(self._popen.pid)
        try:
            self._wait_for_first_answer(started_at + START_SECONDS)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.perf_counter() - started_at

    def _wait_for_first_answer(self, until: float) -> None:
        while time.perf_counter() < until and self._popen.poll() is None:
            try:
                if self.get("/users/1")[0] in (200, 401):
                    return
            except OSError:
                pass
            time.sleep(POLL_SECONDS)
        raise SystemExit(f"{self.server.name} did not start:\n{self.log_tail()}")

    def get(self, path: str) -> tuple[int, bytes]:
        return self.request("GET", path)

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request on a connection of its own: status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def log_tail(self) -> str:
        return self._log.read_text()[-4000:]

    def cpu_seconds(self) -> float:
        return tree_cpu_seconds(self.process)

    def resident(self) -> dict[str, float]:
        """Resident memory: of the process that answers, the busiest of the tree, in MB, and of all of them in MiB."""
        processes = tree(self.process)
        worker = max(processes, key=lambda process: sum(process.cpu_times()[:2]))
        return {
            "worker_rss_mb": worker.memory_info().rss / 1e6,
            "rss_mib": sum(process.memory_info().rss for process in processes) / 2**20,
        }

    def stop(self) -> None:
        self._popen.terminate()
        try:
            self._popen.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._folder.cleanup()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
