"""Sessions: `litestar users sessions`, which lists and ends them."""

from __future__ import annotations

import click
from sqlalchemy.ext.asyncio import AsyncSession

from app.cli.command import Command, CommandRunner
from app.cli.output import print_table
from app.cli.users import WHO, id_of
from app.repository.schemas import LARGEST_BIGINT
from app.resources.sessions.model import Session
from app.resources.sessions.repository import all_of, end


def sessions_command(runner: CommandRunner) -> click.Command:
    @click.command("sessions", cls=Command)
    @WHO
    @click.option("--end", "ended", type=click.IntRange(1, LARGEST_BIGINT), metavar="ID", help="End this session.")
    @click.option("--end-all", is_flag=True, help="End all of the user's sessions.")
    def sessions(who: str, ended: int | None, end_all: bool) -> None:
        """List a user's sessions, or end one or all."""

        async def change(session: AsyncSession) -> list[Session]:
            user_id = await id_of(session, who)
            if ended is not None or end_all:
                await end(session, user_id, None if end_all else ended)
            return await all_of(session, user_id)

        shown = [(one.id, *_times(one), one.user_agent) for one in runner.change(change)]
        print_table(("ID", "CREATED", "LAST USED", "EXPIRES", "USER AGENT"), shown)

    return sessions


def _times(session: Session) -> list[str]:
    times = (session.created_at, session.last_used_at, session.expires_at)
    return [time.isoformat(" ", "minutes") for time in times]
