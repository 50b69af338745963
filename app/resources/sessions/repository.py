"""Sessions: who signs in, whose a token is, and what ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.credentials.passwords import Passwords, should_rehash
from app.credentials.tokens import make_token, token_hash
from app.problems import Missing, Unauthenticated
from app.repository.reader import Lookup, Reader, Rendered, by_key, render
from app.repository.schemas import Caller
from app.resources.sessions.last_use import IS_STALE, LastUse
from app.resources.sessions.model import Session
from app.resources.sessions.schemas import SessionRead, SignedIn, SignIn
from app.resources.users.model import User
from app.resources.users.schemas import UserRead
from app.settings import Settings

WRONG = "The address or the password is wrong"

# Whoever is unknown is measured by a row that the address chooses, always the same one. So the time that it takes to
# verify tells nothing, whatever kinds of hashes there are; the secret keeps strangers from knowing which row it is.
_BY_EMAIL = Rendered(
    """
    WITH account AS (SELECT id, name, email, active, hashed_password FROM users
            WHERE address_key(email) = address_key($1)),
        place AS (SELECT ('x' || encode(substr(sha256(secret || sha256(secret || convert_to(address_key($1), 'UTF8'))),
            1, 8), 'hex'))::bit(64)::bigint & 9223372036854775807 AS hash FROM sign_in_secret),
        decoy AS (SELECT hashed_password FROM users WHERE id >=
            (SELECT hash FROM place) % (SELECT coalesce(max(id), 1) FROM users) ORDER BY id LIMIT 1)
    SELECT account.id, name, email, active, coalesce(account.hashed_password, decoy.hashed_password)
    FROM (SELECT) AS always LEFT JOIN account ON true LEFT JOIN decoy ON true
    """,
    (("email", None),),
)


class Account(Struct, frozen=True):
    """Whoever signs in, and the hash that was verified. Its `repr` leaves that out."""

    user: UserRead
    hashed: str
    rehashed: str | None

    def __repr__(self) -> str:
        return f"Account({self.user!r})"


class Sessions:
    """Sessions that live, by the limits of the settings."""

    def __init__(self, reader: Reader, passwords: Passwords, last_use: LastUse, settings: Settings) -> None:
        self._reader = reader
        self._passwords = passwords
        self._last_use = last_use
        self._age = timedelta(hours=settings.session_hours)
        self._idle = timedelta(hours=settings.session_idle_hours)
        self._most = settings.sessions_per_user
        self._by_token = self._lookup()
        columns = [getattr(Session, name) for name in SessionRead.__struct_fields__[:-1]]
        of_a_user = select(*columns).where(Session.user_id == bindparam("user_id", type_=Session.user_id.type))
        self._of_a_user = render(self._living(of_a_user).order_by(Session.id.desc()))

    async def caller(self, hashed: bytes) -> Caller | None:
        """Whose token has this hash."""
        if (record := await self._reader.find(self._by_token, hashed)) is None:
            return None
        _, is_stale, *values = record
        if is_stale:
            self._last_use.note(values[0])
        return Caller(*values)

    async def of(self, user_id: int, current: int | None = None) -> list[SessionRead]:
        """The sessions of a user, the latest first."""
        records = await self._reader.records(self._of_a_user, {"user_id": user_id})
        return [SessionRead(*(*record, record[0] == current)) for record in records]

    async def verified(self, data: SignIn) -> Account:
        """Whose address and password these are. Raises: Unauthenticated, in the same time whatever is wrong."""
        user_id, name, email, active, hashed = (await self._reader.records(_BY_EMAIL, {"email": data.email}))[0]
        hashed = await self._passwords.hash(data.password) if hashed is None else hashed
        if not await self._passwords.verify(data.password, hashed) or not active:
            raise Unauthenticated(WRONG)
        rehashed = await self._passwords.hash(data.password) if should_rehash(hashed, data.password) else None
        return Account(UserRead(user_id, name, email), hashed, rehashed)

    async def begin(self, transaction: AsyncSession, account: Account, data: SignIn, user_agent: str) -> SignedIn:
        """Let somebody in whose password is still that one. Raises: Unauthenticated."""
        who = select(User.hashed_password).where(User.id == account.user.id, User.active)
        stored = await transaction.scalar(who.with_for_update(key_share=True))
        if stored == account.hashed and account.rehashed is not None:
            rehashed = update(User).where(User.id == account.user.id).values(hashed_password=account.rehashed)
            await transaction.execute(rehashed)
        elif stored != account.hashed and not (stored and await self._passwords.verify(data.password, stored)):
            # Another sign-in may have hashed it anew meanwhile; this one was changed, or the account deactivated.
            raise Unauthenticated(WRONG)
        token = make_token()
        values = {"token_hash": token_hash(token.encode()), "user_id": account.user.id, "user_agent": user_agent}
        new = insert(Session).values(**values, expires_at=func.now() + self._age)
        session_id, expires_at = (await transaction.execute(new.returning(Session.id, Session.expires_at))).one()
        # The oldest goes of those that live; what has ended goes anyway, and takes no place.
        latest = self._living(select(Session.id).where(Session.user_id == account.user.id)).order_by(Session.id.desc())
        kept = latest.limit(self._most)
        await transaction.execute(delete(Session).where(Session.user_id == account.user.id, Session.id.not_in(kept)))
        return SignedIn(session_id, token, expires_at, account.user)

    def _living(self, statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        return statement.where(Session.expires_at > func.now(), Session.last_used_at > func.now() - self._idle)

    def _lookup(self) -> Lookup:
        row = [User.id, User.name, User.email, User.version, User.is_admin]
        statement = select(Session.token_hash, IS_STALE.label("is_stale"), Session.id.label("session_id"), *row)
        statement = statement.join(User, User.id == Session.user_id).where(User.active)
        return by_key(self._living(statement), Session.token_hash)


async def all_of(transaction: AsyncSession, user_id: int) -> list[Session]:
    """The sessions of a user that have not reached their age, the latest first."""
    living = select(Session).where(Session.user_id == user_id, Session.expires_at > func.now())
    return list(await transaction.scalars(living.order_by(Session.id.desc())))


async def end(transaction: AsyncSession, user_id: int, session_id: int | None = None) -> None:
    """End a session of a user, or all of them. Raises: Missing."""
    ended = delete(Session).where(Session.user_id == user_id)
    if session_id is None:
        await transaction.execute(ended)
    elif await transaction.scalar(ended.where(Session.id == session_id).returning(Session.id)) is None:
        raise Missing("Session")


async def end_others(transaction: AsyncSession, user_id: int, current: int | None) -> None:
    """End all sessions of a user but the current one."""
    others = delete(Session).where(Session.user_id == user_id)
    await transaction.execute(others if current is None else others.where(Session.id != current))
