"""Programs: what some tests need and PyPI has not. A laptop may be without it, continuous integration may not."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str) -> str:
    """Where a program of the system is; without it the test is skipped, and fails in continuous integration."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin") or missing(f"apt-get install {name}")


def missing(reason: str) -> str:
    return pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
