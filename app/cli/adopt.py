"""Adopt: `litestar database adopt`, for the tables of a service that this one succeeds."""

from __future__ import annotations

import click
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.command import Command, CommandFailure, CommandRunner
from app.cli.models import load_tables
from app.database.adoption.plan import Plan, make_plan
from app.database.engine import ROOT
from app.database.errors import root_cause
from app.database.failures import reason_of
from app.database.history import load_scripts
from app.database.migration_lock import exclusive, unlocked
from app.database.migrations import judge, without_timeouts


def adopt_command(runner: CommandRunner) -> click.Command:
    @click.command("adopt", cls=Command)
    @click.option("--dry-run", is_flag=True, help="Print the plan, change nothing.")
    @click.option("--sql", "as_sql", is_flag=True, help="Print the plan as SQL for psql, change nothing.")
    @click.option("--no-prompt", is_flag=True, help="Do not ask.")
    def adopt(dry_run: bool, as_sql: bool, no_prompt: bool) -> None:
        """Take over the tables of a FastAPI service, rows and all; `upgrade` goes on from there."""
        plan = runner.run(_look)
        if plan.refusals:
            reasons = "\n  - ".join(plan.refusals)
            raise CommandFailure(
                f"These tables cannot be taken over as they are, and nothing was changed:\n  - {reasons}"
            )
        if plan.nothing:
            click.echo(f"-- {plan.nothing}" if as_sql else plan.nothing)
            return
        for line in plan.script() if as_sql else plan.sentences():
            click.echo(line)
        if dry_run or as_sql:
            return
        if not no_prompt:
            click.confirm("Take them over?", abort=True)
        click.echo(runner.run(lambda engine: _adopt(engine, plan)))

    return adopt


async def _look(engine: AsyncEngine) -> Plan:
    """The plan; its measurements leave nothing behind."""
    with without_timeouts(engine):
        async with unlocked(engine) as (connection, _):
            return await connection.run_sync(_plan)


async def _adopt(engine: AsyncEngine, shown: Plan) -> str:
    """Do what was shown, all or nothing, while no other command migrates."""
    with without_timeouts(engine):
        async with exclusive(engine) as (connection, _):
            plan = await connection.run_sync(_plan)
            await connection.rollback()
            if plan.nothing:
                return plan.nothing
            if plan.refusals or plan.statements != shown.statements:
                raise CommandFailure("The database has changed since it was looked at, and nothing was done: try again")
            try:
                for statement in plan.statements:
                    await connection.exec_driver_sql(statement)
                await connection.commit()
            except DBAPIError as error:
                raise CommandFailure(f"Nothing was changed: {reason_of(root_cause(error))}") from error
    return "Done: `litestar database upgrade --no-prompt` goes on from here"


def _plan(connection: Connection) -> Plan:
    try:
        judge(connection)
        script = load_scripts(ROOT / "alembic")
    except CommandError as error:
        raise CommandFailure(str(error)) from error
    load_tables()
    addresses = script.get_revision("20261125_addresses")
    assert addresses is not None  # noqa: S101  # it is one of ours
    address_key = addresses.module.ADDRESS_KEY.replace("FUNCTION address_key", "FUNCTION pg_temp.address_key")
    return make_plan(connection, script, address_key)
