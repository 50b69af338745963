"""Users: the table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, Index, String, false, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from app.database.model import Model
from app.problems import Conflict, EmailTaken
from app.repository.filters import address_key

ADMINISTRATORS = "is_admin AND active"
"""Those of whom one stays. Who changes that takes turns, by a lock of this name."""


class LastAdministrator(Conflict):
    code = "last_administrator"
    detail = "Somebody must stay who is an administrator and active"


class User(Model):
    """A person."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(255))
    hashed_password: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    is_admin: Mapped[bool] = mapped_column(server_default=false())
    active: Mapped[bool] = mapped_column(server_default=true())
    """Whether its owner may sign in. The database ends the sessions of one who may not any more."""

    __table_args__ = (
        # An address belongs to one account whatever its letter case, and this index decides.
        Index("ix_users_email", address_key(email), unique=True, info={"problem": EmailTaken}),
        Index("ix_users_name", "name", "id"),
        Index("ix_users_created_at", "created_at", "id"),
        Index("ix_users_administrators", "id", postgresql_where=text(ADMINISTRATORS)),
    )
