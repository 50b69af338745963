"""Passwords: the HTTP face."""

from __future__ import annotations

from litestar import Controller, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import UNSET

from app.credentials.passwords import Passwords
from app.http.dependencies import AnyRequest, Reader, Transaction
from app.http.openapi import problems
from app.http.path_parameters import RowId
from app.http.responses import NO_STORE, JsonResponse
from app.http.rules import Visitor
from app.http.throttling import Throttling
from app.resources.passwords.repository import (
    begin_reset,
    finish_reset,
    hash_of,
    replace_password,
    user_of_reset,
    wrong_password,
)
from app.resources.passwords.schemas import NewPassword, PasswordChange, ResetToken


class PasswordController(Controller):
    """Changing a password, and choosing one for a forgotten one"""

    tags = ["Passwords"]

    @put(
        "/users/{user_id:str}/password",
        who="self",
        status_code=204,
        responses=problems(404, 413, 415, 422, 429, 503),
    )
    async def change_password(
        self,
        request: AnyRequest,
        user_id: RowId,
        data: JSONBody[PasswordChange],
        visitor: Visitor,
        throttling: NamedDependency[Throttling],
        reader: Reader,
        passwords: NamedDependency[Passwords],
        transaction: Transaction,
    ) -> None:
        """Change a password.

        Every other session of that user ends. An administrator leaves the current password out, but for their own.
        """
        is_own = visitor is not None and visitor.id == user_id
        if is_own and data.current_password is UNSET:
            raise wrong_password("required")
        stored = await hash_of(reader, user_id, data.new_password)
        if data.current_password is not UNSET:
            async with throttling.attempt(request, user_id=user_id):
                if not await passwords.verify(data.current_password, stored):
                    raise wrong_password("is not the password of this account")
        hashed = await passwords.hash(data.new_password)
        keep = visitor.session_id if visitor else None
        instead_of = None if data.current_password is UNSET else stored
        await replace_password(transaction, user_id, hashed, instead_of=instead_of, keep=keep)

    @post("/users/{user_id:str}/password-resets", who="administrator", responses=problems(404, 422, 503))
    async def begin_password_reset(self, user_id: RowId, transaction: Transaction) -> JsonResponse[ResetToken]:
        """Begin the reset of a password.

        The token is for one use within 15 minutes; no mail is sent, to bring it to the user is up to you.
        """
        token = await begin_reset(transaction, user_id)
        return JsonResponse(token, status_code=201, headers=(NO_STORE,))

    @post("/password-resets", who="anyone", status_code=204, responses=problems(413, 415, 422, 429, 503))
    async def finish(
        self,
        request: AnyRequest,
        data: JSONBody[NewPassword],
        throttling: NamedDependency[Throttling],
        reader: Reader,
        passwords: NamedDependency[Passwords],
        transaction: Transaction,
    ) -> None:
        """Choose a password by the token of a reset.

        Every session of that user ends. A token that was used, has expired or was invented is 422 `invalid_token`.
        """
        user_id = await user_of_reset(reader, data.token)
        await hash_of(reader, user_id, data.new_password)
        # Ends before the transaction has a connection: where all are lent, each would wait for another's.
        async with throttling.attempt(request, user_id=user_id):
            hashed = await passwords.hash(data.new_password)
        await finish_reset(transaction, data.token, user_id, hashed)
