"""Developers: every query, reads on the driver's connection and writes in the request's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET
from sqlalchemy import BigInteger, bindparam, select, update

from app.bulk.insert import insert_rows
from app.problems import Missing
from app.repository.crud import locked
from app.repository.filters import address_key, before, containing, exactly, in_any_case, since
from app.repository.listing import Listing
from app.repository.reader import Read, Reader
from app.repository.schemas import LARGEST_BIGINT, CursorPage, Page
from app.resources.developers.model import Developer
from app.resources.developers.schemas import (
    DeveloperCreate,
    DeveloperQuery,
    DeveloperRead,
    DeveloperRow,
    DeveloperUpdate,
)

_BY_ID = Read(
    DeveloperRow,
    select(
        Developer.id,
        Developer.name,
        Developer.email,
        Developer.specialty,
        Developer.created_at,
        Developer.version,
    ).where(Developer.id == bindparam("id", type_=BigInteger)),
)
DEVELOPERS = Listing(
    Developer,
    DeveloperRead,
    sortable={
        "id": Developer.id,
        "name": Developer.name,
        "email": address_key(Developer.email),
        "specialty": Developer.specialty,
        "created_at": Developer.created_at,
    },
    order="name",
    filters={
        "specialty": exactly(Developer.specialty, "specialty"),
        "email": in_any_case(Developer.email, "email"),
        "name": exactly(Developer.name, "name"),
        "q": containing((Developer.name, Developer.email), "q"),
        "created_after": since(Developer.created_at, "created_after"),
        "created_before": before(Developer.created_at, "created_before"),
    },
)


class DeveloperReads:
    """Developers as they are stored, outside any transaction."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def get_by_id(self, developer_id: int) -> DeveloperRow:
        """One developer. Raises: Missing."""
        found = await self._reader.first(_BY_ID, id=developer_id) if 0 < developer_id <= LARGEST_BIGINT else None
        if found is None:
            raise Missing("Developer")
        return found

    async def by_specialty(self, specialty: str, *, limit: int = 100) -> list[DeveloperRead]:
        """The first of a specialty by name, at most 100."""
        query = DeveloperQuery(specialty=specialty, size=min(limit, 100))
        return (await DEVELOPERS.page(self._reader, query)).items

    async def page(self, query: DeveloperQuery) -> Page[DeveloperRead]:
        """A page of developers and how many there are. Raises: Invalid."""
        return await DEVELOPERS.page(self._reader, query)

    async def after(self, query: DeveloperQuery) -> CursorPage[DeveloperRead]:
        """The developers after a cursor. Raises: Invalid."""
        return await DEVELOPERS.after(self._reader, query)


class DeveloperRepository(SQLAlchemyAsyncRepository[Developer]):
    """Developers within the request's transaction."""

    model_type = Developer
    wrap_exceptions = False

    async def create(self, data: DeveloperCreate) -> DeveloperRow:
        """Insert a developer; the index decides whether the address is free."""
        developer = Developer(name=data.name, email=data.email, specialty=data.specialty)
        return _row(await self.add(developer, auto_refresh=False))

    async def create_many(self, data: Sequence[DeveloperCreate]) -> int:
        """Insert all or none; how many. Raises: EmailTaken, naming the first."""
        return await insert_rows(self.session, Developer, data)

    async def change(
        self, developer_id: int, changes: DeveloperUpdate, *, expected: frozenset[int] | None
    ) -> DeveloperRow:
        """Change what is set in `changes`, if the version is an `expected` one.

        Raises: Missing, PreconditionFailed.
        """
        developer = await locked(self.session, Developer, developer_id, expected=expected, noun="Developer")
        for field in changes.__struct_fields__:
            if (value := getattr(changes, field)) is not UNSET:
                setattr(developer, field, value)
        await self.session.flush()
        return _row(developer)

    async def change_email(self, developer_id: int, email: str) -> bool:
        """Give a developer another address; whether there is such a developer."""
        changed = await self.session.execute(
            update(Developer).where(Developer.id == developer_id).values(email=email).returning(Developer.id)
        )
        return changed.one_or_none() is not None

    async def remove(self, developer_id: int, *, expected: frozenset[int] | None) -> None:
        """Delete a developer, if the version is an `expected` one. Raises: Missing, PreconditionFailed."""
        developer = await locked(self.session, Developer, developer_id, expected=expected, noun="Developer")
        await self.session.delete(developer)
        await self.session.flush()


def _row(stored: Developer) -> DeveloperRow:
    return DeveloperRow(stored.id, stored.name, stored.email, stored.specialty, stored.created_at, stored.version)
