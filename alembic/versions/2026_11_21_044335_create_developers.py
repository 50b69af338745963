"""Create developers

Revision ID: 20261121_developers
Revises: 20261121_search
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261121_developers"
down_revision = "20261121_search"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "developers",
        sa.Column("id", sa.BigInteger(), sa.Identity(start=1, increment=1), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("specialty", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_developers"),
        if_not_exists=True,  # An adopted one is of this shape.
    )
    op.create_index("ix_developers_email", "developers", [sa.text("lower(email)")], unique=True, if_not_exists=True)
    op.create_index("ix_developers_name", "developers", ["name"], if_not_exists=True)
    op.create_index("ix_developers_specialty", "developers", ["specialty", "name"], if_not_exists=True)
    op.create_index("ix_developers_created_at", "developers", ["created_at"], if_not_exists=True)
    op.execute("SELECT start_counting('developers')")
    op.execute("SELECT index_for_search('developers')")


def downgrade() -> None:
    op.drop_table("developers")
    op.execute("DELETE FROM row_counts WHERE table_name = 'developers'")
