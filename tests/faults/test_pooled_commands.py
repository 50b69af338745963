"""Pooled commands: each works twice through PgBouncer in transaction mode with one server connection."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from anyio import to_thread

from app.database import migration_lock
from app.settings.database_url import parse_database_url
from tests.commands import Shell
from tests.databases import alembic_commands
from tests.faults.postgres import PrivatePostgres
from tests.faults.test_pgbouncer import pgbouncer

_USERS = "name,email,password\nAda,ada@example.com,correct horse\n"
_DEVELOPERS = "name,email,specialty\nAda,ada@example.com,backend\n"

_EACH = {"users": _USERS, "developers": _DEVELOPERS}


async def test_each_command_works_twice(postgres: PrivatePostgres, tmp_path: Path) -> None:
    for name, text in _EACH.items():
        (tmp_path / f"{name}.csv").write_text(text)
    ids = str(tmp_path / "ids.csv")
    commands = [
        *(
            command
            for name in _EACH
            for command in (
                (name, "import", "--on-conflict=update", str(tmp_path / f"{name}.csv")),
                (name, "export", str(tmp_path / "out.csv"), "--force", *(["--with-hashes"] if name == "users" else [])),
                (name, "export", "--format=jsonl", "-"),
                (
                    name,
                    "import",
                    "--on-conflict=update",
                    "--keep-ids",
                    "--ids",
                    ids,
                    "--force",
                    str(tmp_path / "out.csv"),
                ),
            )
        ),
        ("users", "list"),
        ("users", "list", "--q=ada", "--sort=-id"),
        ("users", "set-password", "ada@example.com", "--password-stdin"),
        ("users", "set-password", "1", "--password-stdin"),
        ("users", "check-password", "ada@example.com", "--password-stdin"),
    ]
    async with pgbouncer(postgres.port, servers=1) as port:
        shell = Shell(parse_database_url(_pooled(port)))

        done = [(command, await shell.run(*command, stdin="correct horse\n")) for command in commands * 2]
        for command in [
            ("users", "create", "--name=Eve", "--email=eve@example.com", "--password-stdin"),
            ("users", "delete", "eve@example.com", "--yes"),
        ] * 2:
            done.append((command, await shell.run(*command, stdin="correct horse\n")))  # noqa: PERF401  # in this order
        left = await asyncpg.connect(_pooled(port).partition("?")[0], statement_cache_size=0)
        # The next process would begin with the same name.
        prepared = await left.fetchval("SELECT array_agg(name) FROM pg_prepared_statements")
        await left.close()

    assert [(command, result.output) for command, result in done if result.exit_code] == []
    assert prepared is None


async def test_each_command_for_the_schema_works_twice(
    postgres: PrivatePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_lock, "_SECOND_CONNECTION_TIMEOUT", 0.2)
    async with pgbouncer(postgres.port, servers=1) as port:
        commands = alembic_commands(parse_database_url(_pooled(port)))
        for work in (
            commands.upgrade,
            commands.check,
            commands.current,
            partial(commands.downgrade, "-1"),
            partial(commands.stamp, "head"),
            commands.ensure_version,
        ):
            for _ in range(2):
                async with asyncio.timeout(20):
                    await to_thread.run_sync(work)


def _pooled(port: int) -> str:
    return f"postgresql://postgres@127.0.0.1:{port}/postgres?prepared_statement_cache_size=0"
