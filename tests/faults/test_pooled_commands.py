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


def in_and_out(name: str, text: str, folder: Path, *options: str) -> list[tuple[str, ...]]:
    """A file comes in, goes out, and comes in again as it went."""
    given, out, ids = (str(folder / f"{name}-{end}.csv") for end in ("given", "out", "ids"))
    Path(given).write_text(text)
    update = ("--on-conflict=update", "--force")
    return [
        (name, "import", *update, given),
        (name, "export", out, "--force", *options),
        (name, "export", "--format=jsonl", "-"),
        (name, "import", *update, "--keep-ids", "--ids", ids, out),
    ]


async def test_each_command_works_twice(postgres: PrivatePostgres, tmp_path: Path) -> None:
    commands = [
        *in_and_out("users", _USERS, tmp_path, "--with-hashes"),
        ("users", "list"),
        ("users", "list", "--q=ada", "--sort=-id"),
        ("users", "set-password", "ada@example.com", "--password-stdin"),
        ("users", "set-password", "1", "--password-stdin"),
        ("users", "check-password", "ada@example.com", "--password-stdin"),
    ]
    async with pgbouncer(postgres.port, servers=1) as port:
        shell = Shell(parse_database_url(pooled(port)))

        done = [(command, await shell.run(*command, stdin="correct horse\n")) for command in commands * 2]
        for command in [
            ("users", "create", "--name=Eve", "--email=eve@example.com", "--password-stdin"),
            ("users", "delete", "eve@example.com", "--yes"),
        ] * 2:
            done.append((command, await shell.run(*command, stdin="correct horse\n")))  # noqa: PERF401  # in this order
        left = await asyncpg.connect(pooled(port).partition("?")[0], statement_cache_size=0)
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
        commands = alembic_commands(parse_database_url(pooled(port)))
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


def pooled(port: int) -> str:
    return f"postgresql://postgres@127.0.0.1:{port}/postgres?prepared_statement_cache_size=0"
