"""Checking: `litestar users check-password`, to try a hash that came from elsewhere before the others are trusted."""

from __future__ import annotations

import click
from sqlalchemy.ext.asyncio import AsyncSession

from app.cli.command import Command, CommandFailure, CommandRunner
from app.cli.users import PASSWORD_STDIN, ask_password, validated
from app.credentials.foreign_hashes import kind, verify
from app.problems import Missing
from app.resources.users.repository import UserRepository
from app.resources.users.schemas import UserQuery


def check_password_command(runner: CommandRunner) -> click.Command:
    @click.command("check-password", cls=Command)
    @click.argument("email")
    @PASSWORD_STDIN
    def check_password(email: str, password_stdin: bool) -> None:
        """Say whether a password is the one of a user, and what made its hash. Changes nothing."""
        address = validated(UserQuery, email=email).email

        async def stored(session: AsyncSession) -> str:
            if user := await UserRepository(session=session).get_by_email(address):
                return user.hashed_password
            raise Missing("User")

        hashed = runner.change(stored)
        made_by = kind(hashed)
        if made_by is None:
            raise CommandFailure("There is no password that could be checked: nobody can sign in until one is set")
        if not verify(hashed, ask_password(password_stdin)):
            raise CommandFailure(f"That is not the password (the hash is of {made_by})")
        click.echo(f"That is the password (the hash is of {made_by}).")

    return check_password
