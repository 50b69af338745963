"""Contrib: a server of the system's own PostgreSQL, which has ICU and every extension; the embedded one has neither."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings.database_url import DatabaseUrl, parse_database_url
from tests.programs import missing


def programs() -> Path:
    if found := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return found[-1].parent
    return Path(missing("apt-get install postgresql"))


@contextmanager
def contrib_server() -> Iterator[DatabaseUrl]:
    """A server in the locale C, gone afterwards."""
    folder = programs()
    home = Path(tempfile.mkdtemp(prefix="contrib-", dir="/tmp"))
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    if user is not None:
        os.chown(home, user, -1)

    def execute(program: str, *arguments: str) -> None:
        command = [str(folder / program), "-D", "data", *arguments]
        subprocess.run(command, cwd=home, user=user, check=True, stdout=subprocess.DEVNULL)

    execute("initdb", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
    execute("pg_ctl", "start", "--silent", "--log=log", "-o", f"-k {home} -c listen_addresses='' -F")
    try:
        yield parse_database_url(f"postgresql://postgres@/postgres?host={home}")
    finally:
        execute("pg_ctl", "stop", "--silent", "-m", "immediate")
        shutil.rmtree(home)
