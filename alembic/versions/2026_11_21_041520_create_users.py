"""Create users

Revision ID: 20261121_users
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261121_users"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(start=1, increment=1), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("hashed_password", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_index("ix_users_email", "users", [sa.text("lower(email)")], unique=True)
    op.create_index("ix_users_name", "users", ["name", "id"])
    op.create_index("ix_users_created_at", "users", ["created_at", "id"])


def downgrade() -> None:
    op.drop_table("users")
