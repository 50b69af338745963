"""Sessions: the tables."""

from __future__ import annotations

from datetime import datetime

from advanced_alchemy.base import IdentityBase
from sqlalchemy import Column, DateTime, ForeignKey, Index, LargeBinary, Table, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from app.database.model import Model

Time = DateTime(timezone=True)


class Session(IdentityBase):
    """Somebody who has signed in. Nobody changes one, so it has no version."""

    __tablename__ = "sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(Time, server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(Time)
    last_used_at: Mapped[datetime] = mapped_column(Time, server_default=func.now())
    """At most a minute and a second late. Without an index, so that its updates are cheap."""
    user_agent: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        Index("ix_sessions_token_hash", "token_hash", unique=True),
        Index("ix_sessions_user_id", "user_id", "id"),
        Index("ix_sessions_expires_at", "expires_at"),
    )


sign_in_secret = Table("sign_in_secret", Model.metadata, Column("secret", LargeBinary, nullable=False))
