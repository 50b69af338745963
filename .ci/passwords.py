"""Passwords: the most common ones that our rules of length let through, from zxcvbn's list, into a file of the service.

`uv run .ci/passwords.py` writes it anew.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]

FILE = Path(__file__).resolve().parent.parent / "app" / "validation" / "common_passwords.txt"
MOST = 3_000


def common() -> list[str]:
    """The most common first, in small letters as the list has them."""
    return list(islice((word for word in FREQUENCY_LISTS["passwords"] if 8 <= len(word) <= 128), MOST))


if __name__ == "__main__":
    FILE.write_text("".join(f"{word}\n" for word in common()))
