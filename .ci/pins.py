"""Pins: every package that may be installed, at one exact version, kept in pyproject.toml.

`uv run .ci/pins.py` fails when a package is not pinned, `uv run .ci/pins.py --renew` pins the newest versions.
A lock file would name download hosts as well, and they differ from place to place.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"
_PINS = re.compile(r"^constraint-dependencies = \[\n.*?^\]\n", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Raises: SystemExit, naming what is not pinned."""
    if "--renew" in sys.argv:
        renew()
    pinned = tomllib.loads(PROJECT.read_text())["tool"]["uv"]["constraint-dependencies"]
    if missing := sorted(set(resolved(ROOT)) - set(pinned)):
        sys.exit("Not pinned, run `uv run .ci/pins.py --renew`:\n  " + "\n  ".join(missing))
    print(f"{len(pinned)} packages are pinned")


def renew() -> None:
    """Write the newest versions that the ranges of pyproject.toml allow."""
    with tempfile.TemporaryDirectory() as folder:
        unpinned = Path(folder)
        (unpinned / "pyproject.toml").write_text(_PINS.sub("", PROJECT.read_text()))
        shutil.copy(ROOT / "README.md", unpinned)
        pins = "".join(f'    "{pin}",\n' for pin in resolved(unpinned))
    PROJECT.write_text(_PINS.sub(lambda _: f"constraint-dependencies = [\n{pins}]\n", PROJECT.read_text()))


def resolved(project: Path) -> list[str]:
    """What `project` needs on any platform, as `name==version ; marker`."""
    command = ["uv", "export", "--quiet", "--all-groups", "--all-extras", "--no-hashes", "--no-header", "--no-annotate"]
    lines = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.strip() for line in lines if line.strip()]


if __name__ == "__main__":
    main()
