"""Recount: `litestar database recount`, for totals that a restore or a disabled trigger left behind."""

from __future__ import annotations

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.staging import STAGING_TIMEOUT, UNLIMITED, driver_of
from app.cli.command import Command, CommandRunner
from app.cli.models import load_tables
from app.repository.counts import TRIGGERS, counted_tables


def recount_command(runner: CommandRunner) -> click.Command:
    @click.command("recount", cls=Command)
    def recount() -> None:
        """Count every table anew whose total is kept, while others go on writing."""
        load_tables()
        for table in counted_tables():
            drift = runner.run(lambda engine, table=table: _recount(engine, table))  # type: ignore[misc]
            click.echo(
                f"{table}: " + ("was right" if drift == 0 else "was not counted" if drift is None else f"{drift:+,}")
            )

    return recount


async def _recount(engine: AsyncEngine, table: str) -> int | None:
    """What the total was off by; None where there was none. Only then writers wait, until the rows are counted."""
    async with driver_of(engine) as driver, driver.transaction():
        await driver.execute(f"{UNLIMITED}; SET LOCAL lock_timeout = '5s'")
        if await driver.fetchval(f"SELECT {TRIGGERS}", table) < 3:
            await driver.execute("SELECT start_counting($1)", table, timeout=STAGING_TIMEOUT)
            return None
        drift: int = await driver.fetchval("SELECT recount($1)", table, timeout=STAGING_TIMEOUT)
        return drift
