"""Places: which database on which host an error is about."""

from __future__ import annotations

from itertools import cycle
from typing import Any

_PLACE = "Connecting to "


def place_of(error: BaseException) -> str | None:
    """Which database on which host could not be connected to; None where that is not what failed."""
    notes = (note for note in getattr(error, "__notes__", ()) if note.startswith(_PLACE))
    return next(notes, "").removeprefix(_PLACE) or None


def note_place(error: BaseException, arguments: dict[str, Any]) -> None:
    """Keep with an error where its connection was to lead."""
    hosts, ports = (
        value if isinstance(value, list | tuple) else [value] for value in map(arguments.get, ("host", "port"))
    )
    addresses = [f"{host}:{port or 5432}" for host, port in zip(hosts, cycle(ports), strict=False) if host]
    on_hosts = " on " + ", ".join(addresses) if addresses else ""
    error.add_note(f"{_PLACE}the database {arguments.get('database')}{on_hosts}")
