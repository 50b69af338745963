"""Users: how they are listed, and what writes them."""

from __future__ import annotations

from app.repository.crud import Collection, Repository
from app.repository.filters import address_key, before, containing, exactly, in_any_case, since
from app.repository.schemas import Stored
from app.resources.users.model import User
from app.resources.users.schemas import UserCreate, UserQuery, UserRead

users = Collection(
    User,
    UserRead,
    UserQuery,
    sort=[User.name, address_key(User.email).label("email"), User.created_at],
    filters=[
        in_any_case("email", User.email),
        exactly("name", User.name),
        containing("q", User.name, User.email),
        since("created_after", User.created_at),
        before("created_before", User.created_at),
    ],
)


class UserRepository(Repository[User, UserRead]):
    model_type = User
    item_type = UserRead

    async def get_by_email(self, email: str) -> User | None:
        """The user who owns an address, in whatever letter case."""
        return await self.get_one_or_none(address_key(User.email) == address_key(email))

    async def sign_up(self, data: UserCreate, hashed_password: str) -> Stored[UserRead]:
        """Insert a user; the index decides whether the address is free."""
        return await self.insert(User(name=data.name, email=data.email, hashed_password=hashed_password))

    async def set_password(self, user_id: int, hashed_password: str) -> None:
        """Store another hash. Raises: Missing."""
        (await self.locked(user_id)).hashed_password = hashed_password
        await self.session.flush()
