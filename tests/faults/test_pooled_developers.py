"""Pooled developers: their files come in and go out through PgBouncer in transaction mode, twice."""

from __future__ import annotations

from pathlib import Path

from app.settings.database_url import parse_database_url
from tests.commands import Shell
from tests.faults.postgres import PrivatePostgres
from tests.faults.test_pgbouncer import pgbouncer
from tests.faults.test_pooled_commands import in_and_out, pooled


async def test_files_of_developers_come_and_go_twice(postgres: PrivatePostgres, tmp_path: Path) -> None:
    commands = in_and_out("developers", "name,email,specialty\nAda,ada@example.com,backend\n", tmp_path)
    async with pgbouncer(postgres.port, servers=1) as port:
        shell = Shell(parse_database_url(pooled(port)))

        done = [(command, await shell.run(*command)) for command in commands * 2]

    assert [(command, result.output) for command, result in done if result.exit_code] == []
