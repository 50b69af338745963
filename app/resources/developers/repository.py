"""Developers: how they are listed, and what writes them."""

from __future__ import annotations

from collections.abc import Sequence

from app.bulk.insert import insert_rows
from app.repository.crud import Collection, Repository
from app.repository.filters import address_key, before, containing, exactly, in_any_case, since
from app.resources.developers.model import Developer
from app.resources.developers.schemas import DeveloperCreate, DeveloperQuery, DeveloperRead

developers = Collection(
    Developer,
    DeveloperRead,
    DeveloperQuery,
    sort=[Developer.name, address_key(Developer.email).label("email"), Developer.specialty, Developer.created_at],
    filters=[
        exactly("specialty", Developer.specialty),
        in_any_case("email", Developer.email),
        exactly("name", Developer.name),
        containing("q", Developer.name, Developer.email),
        since("created_after", Developer.created_at),
        before("created_before", Developer.created_at),
    ],
    order="name",
)


class DeveloperRepository(Repository[Developer, DeveloperRead]):
    model_type = Developer
    item_type = DeveloperRead

    async def create_many(self, data: Sequence[DeveloperCreate]) -> int:
        """Insert all or none; how many. Raises: EmailTaken, naming the first."""
        return await insert_rows(self.session, Developer, data)
