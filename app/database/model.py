"""Model: the base of every table."""

from __future__ import annotations

from typing import Any, cast

from advanced_alchemy.base import IdentityBase
from sqlalchemy import BigInteger, Constraint, FetchedValue, Table, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column


def _check_name(constraint: Constraint, table: Table) -> str:
    """`ck_users_age`, whether a model says `age` or a migration all of it."""
    prefix = f"ck_{table.name}_"
    return prefix + str(constraint.name).removeprefix(prefix)


class Model(IdentityBase):
    """A table with a `bigint` identity key, and constraints named `pk_users`, `ix_users_email` and so on.

    The database moves `version` with every change, whoever makes it, and no version comes again; SQLAlchemy checks it
    in every UPDATE and DELETE. `SELECT keep_versions('offices')` in the migration of a table makes it so.
    """

    __abstract__ = True

    version: Mapped[int] = mapped_column(
        BigInteger, server_default=text("new_version()"), server_onupdate=FetchedValue(), sort_order=100
    )

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805  # SQLAlchemy calls it with the class
        return {"version_id_col": cls.version, "version_id_generator": False}


Model.metadata.naming_convention = {
    **cast("dict[str, Any]", Model.metadata.naming_convention),
    "whole_constraint_name": _check_name,
    "ck": "%(whole_constraint_name)s",
}
