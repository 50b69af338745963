"""Users: `litestar users create`, `list`, `set-password`, `set-account` and `delete`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncSession

from app.cli.command import Command, CommandFailure, CommandRunner
from app.cli.output import print_json, print_table
from app.credentials.passwords import hasher
from app.problems import Missing
from app.repository.reader import Reader
from app.repository.schemas import LARGEST_BIGINT, Stored
from app.resources.passwords.repository import replace_password
from app.resources.users.model import User
from app.resources.users.repository import UserRepository, accounts
from app.resources.users.schemas import AccountUpdate, UserCreate, UserPassword, UserQuery, UserRead
from app.validation.texts import MOST_DIGITS
from app.validation.validator import check
from app.validation.weak_passwords import check_personal

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
PASSWORD_STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
WHO = click.argument("who", metavar="ID|EMAIL")


def user_commands(runner: CommandRunner) -> list[click.Command]:
    @click.command("create", cls=Command)
    @click.option("--name")
    @click.option("--email")
    @PASSWORD_STDIN
    @click.option("--admin", is_flag=True, help="Make the user an administrator.")
    @AS_JSON
    def create(password_stdin: bool, admin: bool, as_json: bool, **given: str | None) -> None:
        """Create a user. Asks for what is missing, and for the password twice, without an echo."""
        missing = [f"--{name}" for name, text in given.items() if text is None]
        require_terminal(*missing, *([] if password_stdin else ["--password-stdin"]))
        given = {name: click.prompt(name.title()) if text is None else text for name, text in given.items()}
        data = validated(UserCreate, **given, password=ask_password(password_stdin))
        hashed = hasher.hash(data.password)

        async def sign_up(session: AsyncSession) -> Stored[UserRead]:
            check_personal(data.password, data.name, data.email)
            return await UserRepository(session=session).sign_up(data, hashed, is_admin=admin)

        user = runner.change(sign_up)
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
        page = runner.run(lambda engine: accounts.page(Reader(engine, limit=60, statement_timeout=60), query))
        if as_json:
            print_json(page)
            return
        words = {True: "yes", False: "no"}
        rows = [(user.id, user.name, user.email, words[user.is_admin], words[user.active]) for user in page.items]
        print_table(("ID", "NAME", "EMAIL", "ADMIN", "ACTIVE"), rows)
        click.echo(f"{len(page.items)} of {page.total} users, page {page.page} of {page.pages}", err=True)

    @click.command("set-password", cls=Command)
    @WHO
    @PASSWORD_STDIN
    def set_password(who: str, password_stdin: bool) -> None:
        """Give a user another password, and end all sessions. Asks for it twice, without an echo."""
        password = validated(UserPassword, password=ask_password(password_stdin)).password
        hashed = hasher.hash(password)

        async def change(session: AsyncSession, user_id: int) -> None:
            user = await UserRepository(session=session).locked(user_id)
            check_personal(password, user.name, user.email)
            await replace_password(session, user_id, hashed)

        user_id = change_user(runner, who, change)
        click.echo(f"Changed the password of user {user_id}.")

    @click.command("set-account", cls=Command)
    @WHO
    @click.option("--admin/--no-admin", "is_admin", default=None, help="Make or unmake an administrator.")
    @click.option("--active/--inactive", default=None, help="Let sign in, or end all sessions and let no more.")
    def set_account(who: str, **options: bool | None) -> None:
        """Change what an account may do."""
        given = {name: value for name, value in options.items() if value is not None}
        if not given:
            raise click.UsageError("say --admin, --no-admin, --active or --inactive")
        changes = AccountUpdate(**given)
        user_id = change_user(
            runner, who, lambda session, user_id: UserRepository(session=session).set_account(user_id, changes)
        )
        click.echo(f"Changed the account of user {user_id}.")

    @click.command("delete", cls=Command)
    @WHO
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def delete(who: str, yes: bool) -> None:
        """Delete a user."""
        if not yes:
            require_terminal("--yes")
            click.confirm(f"Delete user {who}?", abort=True)
        user_id = change_user(runner, who, lambda session, user_id: UserRepository(session=session).remove(user_id))
        click.echo(f"Deleted user {user_id}.")

    return [create, list_, set_password, set_account, delete]


def change_user(runner: CommandRunner, who: str, change: Callable[[AsyncSession, int], Awaitable[Any]]) -> int:
    """Change the user of an id or an address; the id. Raises: Failure."""

    async def job(session: AsyncSession) -> int:
        user_id = await id_of(session, who)
        await change(session, user_id)
        return user_id

    return runner.change(job)


def require_terminal(*options: str) -> None:
    """Raises: UsageError, where somebody would have to be asked for these options and nobody is there."""
    if options and not sys.stdin.isatty():
        verb = "is" if len(options) == 1 else "are"
        raise click.UsageError(f"{', '.join(options)} {verb} needed where nobody can be asked")


async def id_of(session: AsyncSession, who: str) -> int:
    """The id of a user who is named by it or by an address. Raises: Missing."""
    if who.isascii() and who.isdecimal():
        number = int(who[:MOST_DIGITS])
        user = await session.get(User, number) if number <= LARGEST_BIGINT else None
    else:
        user = await UserRepository(session=session).get_by_email(validated(UserQuery, email=who).email)
    if user is None:
        raise Missing("User")
    return user.id


def ask_password(from_stdin: bool) -> str:
    """A password, typed twice on a terminal or given in the first line of standard input."""
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    require_terminal("--password-stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def validated(kind: type[Any], **options: Any) -> Any:
    """Raises: Failure, which names every bad field."""
    struct, errors = check(kind, options)
    if struct is None:
        raise CommandFailure("; ".join(f"{name}: {detail}" for name, detail in errors.items()))
    return struct
