"""Services: two of two workers behind HAProxy, each with a PgBouncer of its own, in whatever release."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from app.database.engine import ROOT
from benchmarks.cluster import configuration, programs
from benchmarks.cluster.api import ask
from benchmarks.cluster.database import Database
from benchmarks.cluster.processes import Processes
from tests.faults.ports import free_port

WORKERS = 2
DRAIN_SECONDS = 3
"""Two checks of HAProxy, and some slack."""
SETTINGS = {"ACCESS": "open", "THROTTLE": "off", "LOG_FORMAT": "json", "DRAIN_SECONDS": str(DRAIN_SECONDS)}
"""All else is the service's default."""

_MIGRATION = '''\
"""{name}"""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = {name!r}, {after!r}, None, None
needs = {needs!r}


def upgrade() -> None:
    {up}


def downgrade() -> None:
    op.drop_column("developers", "grade")
'''
_MODEL = "    specialty: Mapped[str] = mapped_column(String(100))\n"
_READ = "    specialty: str\n"


class Services:
    """`several_hosts`: the services know all PostgreSQLs, and need neither HAProxy nor PgBouncer before them."""

    def __init__(self, processes: Processes, database: Database, *, several_hosts: bool) -> None:
        self.port, self.postgres = free_port(), free_port()
        self._processes = processes
        self._ports = {"service-1": free_port(), "service-2": free_port()}
        self._urls = {}
        self._release = ROOT
        text = configuration.haproxy(database.nodes, list(self._ports.values()), postgres=self.postgres, http=self.port)
        configured = processes.write("haproxy.cfg", text)
        processes.start("haproxy", programs.find("haproxy"), "-db", "-f", str(configured), cwd=processes.folder)
        for number, name in enumerate(self._ports, 1):
            self._urls[name] = database.url
            if not several_hosts:
                bouncer = self._start_pgbouncer(f"pgbouncer-{number}")
                self._urls[name] = f"postgresql://postgres@127.0.0.1:{bouncer}/postgres?prepared_statement_cache_size=0"
        through_haproxy = f"postgresql://postgres@127.0.0.1:{self.postgres}/postgres"
        self.url = database.url if several_hosts else through_haproxy
        processes.until("haproxy", lambda: self.upgrade(ROOT))
        for name in self._ports:
            self.start(name)

    def _start_pgbouncer(self, name: str) -> int:
        port, home = free_port(), self._processes.home(name)
        text = configuration.pgbouncer(port, target=self.postgres, log=home / "log")
        configured = self._processes.write(f"{name}.ini", text)
        self._processes.start(name, programs.find("pgbouncer"), "--quiet", str(configured), cwd=home)
        return port

    def start(self, name: str) -> None:
        """Start, and wait until it is ready and HAProxy must have seen it."""
        command = [sys.executable, "-m", "app", "--host", "127.0.0.1", "--port", str(self._ports[name])]
        command += ["--workers", str(WORKERS)]
        settings = SETTINGS | {"DATABASE_URL": self._urls[name]}
        self._processes.start(name, *command, cwd=self._release, as_server=False, **settings)
        self._processes.until(name, lambda: bool(ask(self._ports[name], "/health/ready")))

    def complaints(self) -> list[str]:
        """What they have logged besides warnings: defects of theirs."""
        lines = [line for name in self._ports for line in self._processes.log(name).read_text().splitlines()]
        return [line for line in lines if '"level": "warning"' not in line and '"level": "info"' not in line]

    def kill(self, name: str) -> None:
        """A service with all its workers."""
        self._processes.kill(name)

    def roll_out(self, release: Path) -> None:
        """One after the other."""
        self._release = release
        for name in self._ports:
            self._processes.terminate(name)
            self.start(name)

    def upgrade(self, release: Path) -> bool:
        """Migrate as a release does, past PgBouncer."""
        command = [sys.executable, "-m", "litestar", "--app", "app:create_app", "database", "upgrade", "--no-prompt"]
        environment = os.environ | {"DATABASE_URL": self.url}
        with self._processes.log("upgrade").open("ab") as log:
            done = subprocess.run(command, cwd=release, env=environment, check=False, stdout=log, stderr=log)
        return done.returncode == 0

    def releases(self, head: str) -> tuple[Path, Path]:
        """Two that are yet to come: one fills a column, so that the next may make it one that must be filled."""
        expanding = self._copy("expanding", ROOT)
        model, schemas = (expanding / f"app/resources/developers/{name}.py" for name in ("model", "schemas"))
        column = '    grade: Mapped[str | None] = mapped_column(String(100), default="junior")\n'
        model.write_text(model.read_text().replace(_MODEL, _MODEL + column))
        schemas.write_text(schemas.read_text().replace(_READ, _READ + "    grade: str | None\n"))
        up = 'op.add_column("developers", sa.Column("grade", sa.String(100)))'
        _add_migration(expanding, "expand", after=head, needs=None, up=up)
        contracting = self._copy("contracting", expanding)
        fill = "op.execute(\"UPDATE developers SET grade = 'junior' WHERE grade IS NULL\")"
        up = f'{fill}\n    op.alter_column("developers", "grade", nullable=False)'
        _add_migration(contracting, "contract", after="expand", needs="expand", up=up)
        return expanding, contracting

    def _copy(self, name: str, release: Path) -> Path:
        folder = self._processes.folder / name
        folder.mkdir()
        for part in ("app", "alembic"):
            shutil.copytree(release / part, folder / part)
        shutil.copy(release / "pyproject.toml", folder)
        return folder


def _add_migration(release: Path, name: str, *, after: str, needs: str | None, up: str) -> None:
    text = _MIGRATION.format(name=name, after=after, needs=needs, up=up)
    (release / f"alembic/versions/2027_01_01_{name}.py").write_text(text)
