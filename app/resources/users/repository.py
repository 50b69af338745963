"""Users: how they are listed, and what writes them."""

from __future__ import annotations

from sqlalchemy import func, select, text

from app.repository.crud import Collection, Condition, Repository
from app.repository.filters import address_key, before, containing, exactly, in_any_case, since
from app.repository.schemas import Caller, Stored
from app.resources.users.model import ADMINISTRATORS, LastAdministrator, User
from app.resources.users.schemas import AccountRead, AccountUpdate, UserAccount, UserCreate, UserQuery, UserRead

_LISTED = {
    "sort": [User.name, address_key(User.email).label("email"), User.created_at],
    "filters": [
        in_any_case("email", User.email),
        exactly("name", User.name),
        containing("q", User.name, User.email),
        since("created_after", User.created_at),
        before("created_before", User.created_at),
    ],
}
users = Collection(User, UserRead, UserQuery, **_LISTED)
accounts = Collection(User, UserAccount, UserQuery, **_LISTED)


def own(caller: Caller) -> Stored[UserRead]:
    """The row that came with the session."""
    return Stored(UserRead(caller.id, caller.name, caller.email), caller.version)


class UserRepository(Repository[User, UserRead]):
    model_type = User
    item_type = UserRead

    async def get_by_email(self, email: str) -> User | None:
        """The user who owns an address, in whatever letter case."""
        return await self.get_one_or_none(address_key(User.email) == address_key(email))

    async def sign_up(self, data: UserCreate, hashed_password: str, *, is_admin: bool = False) -> Stored[UserRead]:
        """Insert a user; the index decides whether the address is free."""
        user = User(name=data.name, email=data.email, hashed_password=hashed_password, is_admin=is_admin)
        return await self.insert(user)

    async def set_account(
        self, user_id: int, changes: AccountUpdate, condition: Condition | None = None
    ) -> Stored[AccountRead]:
        """Change what an account may do. Raises: Missing, PreconditionFailed, LastAdministrator."""
        others = await self._lock_administrators(besides=user_id)
        user = await self.locked(user_id, condition)
        was_needed = user.is_admin and user.active and not others
        for name, value in self._set(changes).items():
            setattr(user, name, value)
        if was_needed and not (user.is_admin and user.active):
            raise LastAdministrator
        await self.session.flush()
        return Stored(AccountRead(user.is_admin, user.active), user.version)

    async def remove(self, item_id: int, condition: Condition | None = None) -> None:
        """Delete a user. Raises: Missing, PreconditionFailed, LastAdministrator."""
        others = await self._lock_administrators(besides=item_id)
        user = await self.locked(item_id, condition)
        if user.is_admin and user.active and not others:
            raise LastAdministrator
        await self.session.delete(user)
        await self.session.flush()

    async def _lock_administrators(self, *, besides: int) -> list[int]:
        """The other administrators, who stay what they are until the end of the transaction.

        Locks of rows alone are not enough: whoever waited for one who is an administrator no more holds that row all
        the same, while somebody who came later, and sees only the others, holds those and waits for this one.
        """
        await self.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(ADMINISTRATORS, 0))))
        administrators = select(User.id).where(text(ADMINISTRATORS)).order_by(User.id).with_for_update()
        return [one for one in await self.session.scalars(administrators) if one != besides]
