"""Passwords: the table of resets."""

from __future__ import annotations

from datetime import datetime

from advanced_alchemy.base import DefaultBase
from sqlalchemy import DateTime, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column


class PasswordReset(DefaultBase):
    """What lets its holder choose a password, once."""

    __tablename__ = "password_resets"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (Index("ix_password_resets_user_id", "user_id"),)
