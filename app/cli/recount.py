"""Counting: `litestar database recount`, for totals that a restore or a disabled trigger left behind."""

from __future__ import annotations

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bulk.staging import PATIENCE, UNLIMITED, driver_of
from app.cli.command import Command, Work
from app.repository.counts import TRIGGERS, counted_tables


def recount_command(work: Work) -> click.Command:
    @click.command("recount", cls=Command)
    def recount() -> None:
        """Count every table anew whose total is kept, while others go on writing."""
        for table in counted_tables():
            off = work.run(lambda engine, table=table: _recount(engine, table))  # type: ignore[misc]
            click.echo(f"{table}: " + ("was right" if off == 0 else "was not counted" if off is None else f"{off:+,}"))

    return recount


async def _recount(engine: AsyncEngine, table: str) -> int | None:
    """What the total was off by; None where there was none. Only then writers wait, until the rows are counted."""
    async with driver_of(engine) as driver, driver.transaction():
        await driver.execute(f"{UNLIMITED}; SET LOCAL lock_timeout = '5s'")
        if await driver.fetchval(f"SELECT {TRIGGERS}", table) < 3:
            await driver.execute("SELECT start_counting($1)", table, timeout=PATIENCE)
            return None
        off: int = await driver.fetchval("SELECT recount($1)", table, timeout=PATIENCE)
        return off
