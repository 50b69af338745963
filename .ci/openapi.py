"""OpenAPI: linters have nothing to say of the document, and clients made of it have right types and work.

    uv run --with attrs==26.1.0 --with python-dateutil==4.0.0 .ci/openapi.py

The linters and the clients in TypeScript need node, without which they are left out with a word.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, cast

import httpx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from app import create_app  # noqa: E402  # after the path
from app.settings import Settings  # noqa: E402
from tests.databases import as_text, empty_database, migrate  # noqa: E402
from tests.services import Service  # noqa: E402

REDOCLY = "@redocly/cli@2.77.0"
SPECTRAL = "@stoplight/spectral-cli@6.16.3"
GENERATOR = "openapi-python-client==0.29.1"
PACKAGES = (
    "@hey-api/openapi-ts@0.88.0",
    "openapi-fetch@0.17.0",
    "openapi-typescript@7.13.0",
    "typescript@5.9.3",
)
# The generator's own module, the same for every document, is not so strict.
TYPES = "[mypy]\nstrict = true\n[mypy-users_client.client]\nignore_errors = true\n"
MODES: tuple[Literal["local", "token", "open"], ...] = ("local", "token", "open")


def run(*command: str | Path, folder: Path) -> None:
    """Show what a program says only where it says that something is wrong. Raises: SystemExit."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, "CI": "true"})
    if done.returncode:
        raise SystemExit(f"{command[0]} {command[1]}\n{done.stdout}{done.stderr}")


def lint(folder: Path) -> None:
    documents = [f"{mode}.json" for mode in MODES]
    (folder / "rules.yaml").write_text("extends: ['spectral:oas']\n")
    run("npx", "--yes", REDOCLY, "lint", "--extends=recommended-strict", *documents, folder=folder)
    run("npx", "--yes", SPECTRAL, "lint", "--ruleset=rules.yaml", "--fail-severity=hint", *documents, folder=folder)


async def travel_by_typescript(folder: Path) -> None:
    """Both clients, against a service that runs."""
    for file in ("round_trip.ts", "tsconfig.json"):
        shutil.copy(ROOT / ".ci" / "client" / file, folder)
    run("npm", "install", "--no-audit", "--no-fund", *PACKAGES, folder=folder)
    run("npx", "openapi-typescript", "open.json", "--output=users.ts", folder=folder)
    run("npx", "openapi-ts", "--input", "open.json", "--output", "sdk", "--no-log-file", folder=folder)
    run("npx", "tsc", folder=folder)
    async with empty_database() as url:
        await migrate(url)
        service = Service(folder / "unused", DATABASE_URL=as_text(url), ACCESS="open")
        try:
            service.wait_until_ready()
            run("node", "built/round_trip.js", f"http://127.0.0.1:{service.port}", folder=folder)
        finally:
            service.kill()


async def check(folder: Path) -> None:
    async with empty_database() as url:
        await migrate(url)
        for mode in MODES:
            app = create_app(Settings(database_url=url, access=mode, throttle=False, log_level="warning"))
            transport = httpx.ASGITransport(app=cast("Any", app))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                document = (await client.get("/schema/openapi.json")).content
            (folder / f"{mode}.json").write_bytes(document)
        made = ("generate", "--path=open.json", "--meta=none", "--output-path=users_client")
        run("uvx", GENERATOR, *made, folder=folder)
        trip = shutil.copy(ROOT / ".ci" / "client" / "round_trip.py", folder)
        (folder / "mypy.ini").write_text(TYPES)
        run(sys.executable, "-m", "mypy", "users_client", trip, folder=folder)
        sys.path.insert(0, str(folder))
        async with app.lifespan():
            await importlib.import_module("round_trip").travel(transport)


def main() -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder)))
        print("A generated client has right types, and works")
        if shutil.which("npx") is None:
            print("No node here: the linters and the clients in TypeScript were left out")
            return
        asyncio.run(travel_by_typescript(Path(folder)))
        print("Two in TypeScript do as well")
        lint(Path(folder))
        print("The linters have nothing to say")


if __name__ == "__main__":
    main()
