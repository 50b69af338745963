"""History: which revisions a database has been through, and what it needs of the code that uses it."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import structlog
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import ScriptDirectory
from alembic.util import CommandError, to_tuple
from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, Table, Text, inspect, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import CreateTable

HISTORY = Table(
    "schema_history",
    MetaData(),
    Column("revision", Text),
    Column("needs", Text),
    PrimaryKeyConstraint("revision", name="pk_schema_history"),
)
"""`alembic_version` and all before it; `needs` is the oldest revision whose code can live with this one."""

_log = structlog.get_logger("app.database.history")


def load_scripts(folder: Path) -> ScriptDirectory:
    """The migrations of a folder, all of them read. Raises: CommandError, which names what is wrong with them."""
    script = ScriptDirectory(str(folder))
    try:
        with warnings.catch_warnings(action="ignore"):  # They say the same as what is raised, or less.
            script.get_heads()
    except SyntaxError as error:
        raise CommandError(f"{error.filename}, line {error.lineno}: {error.msg}") from error
    except KeyError as error:
        told = f"a migration revises {error}, which is none: mend its down_revision, or bring that one along"
        raise CommandError(f"{folder / 'versions'}: {told}") from error
    except (ImportError, NameError) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise CommandError(f"{where.filename}, line {where.lineno}: {error}") from error
    return script


def revisions_of(script: ScriptDirectory) -> frozenset[str]:
    """All revisions that this version of the service knows."""
    return frozenset(revision.revision for revision in script.walk_revisions())


class History:
    """Keeps the table as `alembic_version` moves, in each migration's own transaction."""

    def begin(self) -> None:
        self._recorded: Collection[str] = ()

    def __call__(self, ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Any) -> None:
        """What Alembic calls `on_version_apply`. Raises: CommandError."""
        if step.is_stamp or not step.is_upgrade:
            ctx.execute(CreateTable(HISTORY, if_not_exists=True))
            ctx.execute(HISTORY.delete().where(HISTORY.c.revision.not_in(_needs(ctx, heads))))
        self._fill(ctx, heads)

    def ensure(self, ctx: MigrationContext) -> None:
        """Make the history of a database that had none, and that no migration came to."""
        if not self._recorded and ctx.connection is not None and not inspect(ctx.connection).has_table(HISTORY.name):
            self._fill(ctx, ctx.get_current_heads())

    def _fill(self, ctx: MigrationContext, heads: Collection[str]) -> None:
        needs = _needs(ctx, heads)
        if not self._recorded:
            ctx.execute(CreateTable(HISTORY, if_not_exists=True))
            # Whoever serves asks it whether the schema will do, and its names are no secret.
            ctx.execute(text(f"GRANT SELECT ON {HISTORY.name} TO PUBLIC"))
        if new := [{"revision": entry, "needs": needs[entry]} for entry in needs if entry not in self._recorded]:
            ctx.execute(insert(HISTORY).values(new).on_conflict_do_nothing())
        self._recorded = needs


def _needs(ctx: MigrationContext, heads: Collection[str]) -> dict[str, str | None]:
    """Every revision up to `heads`, the oldest first, and what its migration says it needs. Raises: CommandError."""
    script = _script(ctx)
    found = list(script.iterate_revisions(tuple(heads), "base")) if heads else []
    needs = {entry.revision: getattr(entry.module, "needs", None) for entry in reversed(found)}
    for revision, needed in needs.items():
        if needed is not None and needed not in needs:
            raise CommandError(f"{revision} needs {needed}, which is no revision before it")
    return needs


def refuse_stranger(ctx: MigrationContext, heads: Collection[str], *, upgrades: bool) -> None:
    """Raises: CommandError, where the database is at a revision that neither is here nor comes after those here."""
    script = _script(ctx)
    known = revisions_of(script)
    if ctx.connection is None or not (unknown := ", ".join(map(repr, sorted(set(heads) - known)))):
        return
    history = _recorded(ctx.connection)
    if history.keys() >= set(script.get_heads()):
        reason = "" if upgrades else "a newer version of the service made that: use that one"
    elif history.keys() & known:
        reason = (
            "another branch of the service made that: go back to it, or take another database. An embedded one may"
            " go, with all it holds: stop what uses it, and remove .postgres"
        )
    else:
        reason = "another application did that: give the service a database, or a schema, of its own"
    if reason:
        raise CommandError(f"Can't locate revision identified by {unknown}, where the database is: {reason}")


def is_past(ctx: MigrationContext, heads: Collection[str]) -> bool:
    """Whether a newer version has brought the database to where `upgrade` shall bring it, and further."""
    script, connection = _script(ctx), ctx.connection
    known = revisions_of(script)
    if connection is None or known.issuperset(heads):
        return False
    history = _recorded(connection)
    if not history.keys() >= set(to_tuple(script.as_revision_number(ctx.opts["destination_rev"]), default=())):
        return False
    unmet = set(history.values()) - known - {None}
    _log.info("Nothing to do: the schema is newer than this version" + ", which cannot use it" * bool(unmet))
    return True


def _recorded(connection: Connection) -> dict[str, str | None]:
    """The history of a database, if it has one: each revision and what it needs."""
    if not inspect(connection).has_table(HISTORY.name):
        return {}
    return {row.revision: row.needs for row in connection.execute(select(HISTORY))}


def _script(ctx: MigrationContext) -> ScriptDirectory:
    return cast("ScriptDirectory", ctx.script)
