"""Users: the HTTP face."""

from __future__ import annotations

import asyncio

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.credentials.passwords import Passwords
from app.http.dependencies import AnyRequest, Reader, Transaction
from app.http.etags import condition
from app.http.openapi import NOT_MODIFIED, ConditionalChange, ConditionalRead, listed_by, problems
from app.http.pagination import parse_query
from app.http.path_parameters import RowId
from app.http.responses import JsonResponse, changed, created, found, listed
from app.http.rules import Caller, caller_of
from app.http.throttling import Throttling
from app.repository import schemas
from app.repository.schemas import CursorPage, Page, Stored
from app.resources.users.model import LastAdministrator
from app.resources.users.repository import UserRepository, accounts, own, users
from app.resources.users.schemas import AccountRead, AccountUpdate, UserCreate, UserQuery, UserRead, UserUpdate
from app.validation.weak_passwords import check_personal


async def _own_row(caller: schemas.Caller, request: AnyRequest) -> JsonResponse[UserRead]:
    """The row that came with the session.

    Whose sessions were looked up together answer together, too: Granian's thread sleeps after each answer that no
    other follows at once, and to wake it costs more than a turn of the loop. CPU of a GET by 32 clients: 88 us instead
    of 103, by one client as before.
    """
    response = found(own(caller), request)
    await asyncio.sleep(0)
    return response


class UserController(Controller):
    """People with an address of their own"""

    path = "/users"
    tags = ["Users"]

    @post(who="sign_up", repeatable=True, responses=problems(409, 413, 415, 422, 429, 503))
    async def create(
        self,
        request: AnyRequest,
        data: JSONBody[UserCreate],
        passwords: NamedDependency[Passwords],
        throttling: NamedDependency[Throttling],
        transaction: Transaction,
    ) -> JsonResponse[UserRead]:
        """Create a user.

        An address belongs to one user, whatever its letter case. The password is none of the most common ones, nor
        the name or the address.
        """
        check_personal(data.password, data.name, data.email)
        async with throttling.sign_up(request):
            hashed = await passwords.hash(data.password)
        return created(await UserRepository(session=transaction).sign_up(data, hashed), self.path)

    @get(who="administrator", responses=problems(422, 503), operation_class=listed_by(users))
    async def list_users(
        self, request: AnyRequest, reader: Reader
    ) -> JsonResponse[Page[UserRead] | CursorPage[UserRead]]:
        """List users."""
        return listed(await users.select(reader, parse_query(UserQuery, request.scope["query_string"])), request)

    @get("/me", who="signed_in", responses=problems(412, 503) | NOT_MODIFIED, operation_class=ConditionalRead)
    async def read_caller(self, request: AnyRequest, caller: Caller) -> JsonResponse[UserRead]:
        """Read yourself.

        The user whose token it is, as by their id.
        """
        return await _own_row(caller, request)

    @get(
        "/{user_id:str}",
        who="self",
        responses=problems(404, 412, 422, 503) | NOT_MODIFIED,
        operation_class=ConditionalRead,
    )
    async def read(self, request: AnyRequest, user_id: RowId, reader: Reader) -> JsonResponse[UserRead]:
        """Read a user."""
        caller = caller_of(request)
        if caller and caller.id == user_id:
            return await _own_row(caller, request)
        return found(await users.get(reader, user_id), request)

    @patch(
        "/{user_id:str}",
        who="self",
        responses=problems(404, 409, 412, 413, 415, 422, 503),
        operation_class=ConditionalChange,
    )
    async def update(
        self, request: AnyRequest, user_id: RowId, data: JSONBody[UserUpdate], transaction: Transaction
    ) -> JsonResponse[UserRead]:
        """Change a user's name or address."""
        return changed(await UserRepository(session=transaction).change(user_id, data, condition(request)))

    @delete(
        "/{user_id:str}",
        who="self",
        responses=problems(404, LastAdministrator(), 412, 422, 503),
        operation_class=ConditionalChange,
    )
    async def remove(self, request: AnyRequest, user_id: RowId, transaction: Transaction) -> None:
        """Delete a user.

        Their sessions end. The last active administrator stays: 409.
        """
        await UserRepository(session=transaction).remove(user_id, condition(request))

    @get(
        "/{user_id:str}/account",
        who="administrator",
        responses=problems(404, 412, 422, 503) | NOT_MODIFIED,
        operation_class=ConditionalRead,
    )
    async def read_account(self, request: AnyRequest, user_id: RowId, reader: Reader) -> JsonResponse[AccountRead]:
        """Read what an account may do.

        Its version is that of the user.
        """
        stored = await accounts.get(reader, user_id)
        return found(Stored(AccountRead(stored.item.is_admin, stored.item.active), stored.version), request)

    @patch(
        "/{user_id:str}/account",
        who="administrator",
        responses=problems(404, LastAdministrator(), 412, 413, 415, 422, 503),
        operation_class=ConditionalChange,
    )
    async def update_account(
        self, request: AnyRequest, user_id: RowId, data: JSONBody[AccountUpdate], transaction: Transaction
    ) -> JsonResponse[AccountRead]:
        """Change what an account may do.

        Whoever is deactivated keeps their row, and their sessions end. The last active administrator stays: 409.
        """
        return changed(await UserRepository(session=transaction).set_account(user_id, data, condition(request)))
