"""Users: `litestar users create`, `list`, `set-password` and `delete`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncSession

from app.cli.command import Command, CommandFailure, CommandRunner
from app.cli.output import print_json, print_table
from app.passwords import hasher
from app.problems import Missing
from app.repository.reader import Reader
from app.resources.users.repository import UserRepository, users
from app.resources.users.schemas import UserCreate, UserPassword, UserQuery
from app.validation.validator import check

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
PASSWORD_STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
WHO = click.argument("who", metavar="ID|EMAIL")


def user_commands(runner: CommandRunner) -> list[click.Command]:
    @click.command("create", cls=Command)
    @click.option("--name", prompt=True)
    @click.option("--email", prompt=True)
    @PASSWORD_STDIN
    @AS_JSON
    def create(name: str, email: str, password_stdin: bool, as_json: bool) -> None:
        """Create a user. Asks for the password twice, without an echo."""
        data = validated(UserCreate, name=name, email=email, password=ask_password(password_stdin))
        hashed = hasher.hash(data.password)
        user = runner.change(lambda session: UserRepository(session=session).sign_up(data, hashed))
        print_json(user.item) if as_json else click.echo(f"Created user {user.item.id}.")

    @click.command("list", cls=Command)
    @click.option("--page", type=click.IntRange(1), default=1, show_default=True)
    @click.option("--size", type=click.IntRange(1, 100), default=20, show_default=True)
    @click.option("--sort", metavar="KEYS", help="As in name,-created_at.")
    @click.option("--q", metavar="TEXT", help="A part of the name or of the address.")
    @AS_JSON
    def list_(as_json: bool, **options: Any) -> None:
        """List users, a page at a time."""
        query = validated(UserQuery, **{name: value for name, value in options.items() if value is not None})
        # In a transaction, as a pooler may lend another connection between two statements.
        page = runner.run(lambda engine: users.page(Reader(engine, limit=60, statement_timeout=60), query))
        if as_json:
            print_json(page)
            return
        print_table(("ID", "NAME", "EMAIL"), [(user.id, user.name, user.email) for user in page.items])
        click.echo(f"{len(page.items)} of {page.total} users, page {page.page} of {page.pages}", err=True)

    @click.command("set-password", cls=Command)
    @WHO
    @PASSWORD_STDIN
    def set_password(who: str, password_stdin: bool) -> None:
        """Give a user another password. Asks for it twice, without an echo."""
        password = validated(UserPassword, password=ask_password(password_stdin)).password
        hashed = hasher.hash(password)
        user_id = change_user(runner, who, lambda users, user_id: users.set_password(user_id, hashed))
        click.echo(f"Changed the password of user {user_id}.")

    @click.command("delete", cls=Command)
    @WHO
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def delete(who: str, yes: bool) -> None:
        """Delete a user."""
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("--yes is needed where nobody can be asked")
            click.confirm(f"Delete user {who}?", abort=True)
        click.echo(f"Deleted user {change_user(runner, who, UserRepository.remove)}.")

    return [create, list_, set_password, delete]


def change_user(runner: CommandRunner, who: str, change: Callable[[UserRepository, int], Awaitable[None]]) -> int:
    """Change the user of an id or an address; the id. Raises: Failure."""

    async def job(session: AsyncSession) -> int:
        users = UserRepository(session=session)
        if who.isascii() and who.isdecimal():
            user_id = int(who)
        elif user := await users.get_by_email(validated(UserQuery, email=who).email):
            user_id = user.id
        else:
            raise Missing("User")
        await change(users, user_id)
        return user_id

    return runner.change(job)


def ask_password(from_stdin: bool) -> str:
    """A password, typed twice on a terminal or given in the first line of standard input."""
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise click.UsageError("--password-stdin is needed where nobody can be asked")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def validated(kind: type[Any], **options: Any) -> Any:
    """Raises: Failure, which names every bad field."""
    struct, errors = check(kind, options)
    if struct is None:
        raise CommandFailure("; ".join(f"{name}: {detail}" for name, detail in errors.items()))
    return struct
