"""Processor: whether it has what a build for some processors only takes for granted."""

from __future__ import annotations

import os
import re
from pathlib import Path

NEEDED = "PROCESSOR_FLAGS"
"""The environment variable in which such an image names it, as in `avx2`."""


def require_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Say it in a line, where the first hash would end the process by SIGILL. Raises: SystemExit."""
    if needed := set(os.environ.get(NEEDED, "").split()):
        found = re.search(r"^(?:flags|Features)\s*:(.*)", cpuinfo.read_text(), re.MULTILINE)
        if missing := needed.difference(found[1].split() if found else ()):
            names = ", ".join(sorted(missing))
            raise SystemExit(f"Error: this image was built for processors with {names}, which this one has not")
