"""Users: every query, reads on the driver's connection and writes in the request's transaction."""

from __future__ import annotations

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET
from sqlalchemy import BigInteger, bindparam, select

from app.problems import Missing
from app.repository.crud import locked
from app.repository.filters import address_key, before, containing, exactly, in_any_case, since
from app.repository.listing import Listing
from app.repository.reader import Read, Reader
from app.repository.schemas import LARGEST_BIGINT, CursorPage, Page
from app.resources.users.model import User
from app.resources.users.schemas import UserQuery, UserRead, UserRow, UserUpdate

_BY_ID = Read(
    UserRow,
    select(User.id, User.name, User.email, User.version).where(User.id == bindparam("id", type_=BigInteger)),
)
USERS = Listing(
    User,
    UserRead,
    sortable={"id": User.id, "name": User.name, "email": address_key(User.email), "created_at": User.created_at},
    order="id",
    filters={
        "email": in_any_case(User.email, "email"),
        "name": exactly(User.name, "name"),
        "q": containing((User.name, User.email), "q"),
        "created_after": since(User.created_at, "created_after"),
        "created_before": before(User.created_at, "created_before"),
    },
)


class UserReads:
    """Users as they are stored, outside any transaction."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def get_by_id(self, user_id: int) -> UserRow:
        """One user. Raises: Missing."""
        user = await self._reader.first(_BY_ID, id=user_id) if 0 < user_id <= LARGEST_BIGINT else None
        if user is None:
            raise Missing("User")
        return user

    async def page(self, query: UserQuery) -> Page[UserRead]:
        """A page of users and how many there are. Raises: Invalid."""
        return await USERS.page(self._reader, query)

    async def after(self, query: UserQuery) -> CursorPage[UserRead]:
        """The users after a cursor. Raises: Invalid."""
        return await USERS.after(self._reader, query)


class UserRepository(SQLAlchemyAsyncRepository[User]):
    """Users within the request's transaction."""

    model_type = User
    wrap_exceptions = False

    async def get_by_email(self, email: str) -> User | None:
        """The user who owns an address, in whatever letter case."""
        return await self.get_one_or_none(address_key(User.email) == address_key(email))

    async def create(self, *, name: str, email: str, hashed_password: str) -> UserRow:
        """Insert a user; the index decides whether the address is free."""
        user = User(name=name, email=email, hashed_password=hashed_password)
        return _row(await self.add(user, auto_refresh=False))

    async def change(self, user_id: int, changes: UserUpdate, *, expected: frozenset[int] | None) -> UserRow:
        """Change what is set in `changes`, if the version is an `expected` one.

        Raises: Missing, PreconditionFailed.
        """
        user = await locked(self.session, User, user_id, expected=expected, noun="User")
        if changes.name is not UNSET:
            user.name = changes.name
        if changes.email is not UNSET:
            user.email = changes.email
        await self.session.flush()
        return _row(user)

    async def set_password(self, user_id: int, hashed_password: str) -> None:
        """Store another hash. Raises: Missing."""
        user = await locked(self.session, User, user_id, expected=None, noun="User")
        user.hashed_password = hashed_password
        await self.session.flush()

    async def remove(self, user_id: int, *, expected: frozenset[int] | None) -> None:
        """Delete a user, if the version is an `expected` one. Raises: Missing, PreconditionFailed."""
        await self.session.delete(await locked(self.session, User, user_id, expected=expected, noun="User"))
        await self.session.flush()


def _row(user: User) -> UserRow:
    return UserRow(user.id, user.name, user.email, user.version)
