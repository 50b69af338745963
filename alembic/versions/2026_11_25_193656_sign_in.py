"""Let users sign in: accounts, sessions, resets of passwords, and limits

The new columns of users have defaults, so older code goes on writing. Who deactivates an account, in whatever way, ends
its sessions: a trigger sees to it. While the index of administrators is built, which holds nobody yet, writes wait for
one look at the table.

Revision ID: 20261125_access
Revises: 20261125_cheap_counts
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_access"
down_revision = "20261125_cheap_counts"
branch_labels = None
depends_on = None

END_SESSIONS = """
CREATE FUNCTION end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.sessions WHERE user_id = $1', TG_TABLE_SCHEMA) USING NEW.id;
    RETURN NULL;
END
$$
"""
END_OF_ACCOUNT = """
CREATE TRIGGER end_sessions AFTER UPDATE OF active ON users FOR EACH ROW
WHEN (NOT NEW.active) EXECUTE FUNCTION end_sessions()
"""
RANDOM = "sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))"
"""244 random bits: what version 4 leaves of two UUIDs."""


def upgrade() -> None:
    op.add_column("users", sa.Column("is_admin", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.execute(
        "-- squawk-ignore require-concurrent-index-creation\n"
        "CREATE INDEX ix_users_administrators ON users (id) WHERE is_admin AND active"
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(start=1, increment=1), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        _of_a_user("sessions"),
    )
    op.create_index("ix_sessions_token_hash", "sessions", ["token_hash"], unique=True)
    op.create_index("ix_sessions_user_id", "sessions", ["user_id", "id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "password_resets",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_password_resets"),
        _of_a_user("password_resets"),
    )
    op.create_index("ix_password_resets_user_id", "password_resets", ["user_id"])
    op.create_table(
        "throttles",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_throttles"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "known_networks",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("network", postgresql.CIDR(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "network", name="pk_known_networks"),
        _of_a_user("known_networks"),
    )
    op.create_table("sign_in_secret", sa.Column("secret", sa.LargeBinary(), nullable=False))
    op.execute(f"INSERT INTO sign_in_secret SELECT {RANDOM}")
    op.execute(END_SESSIONS)
    op.execute(END_OF_ACCOUNT)


def downgrade() -> None:
    op.execute("DROP TRIGGER end_sessions ON users")
    op.execute("DROP FUNCTION end_sessions()")
    for table in ("sign_in_secret", "known_networks", "throttles", "password_resets", "sessions"):
        op.drop_table(table)
    op.drop_index("ix_users_administrators", "users")
    op.drop_column("users", "active")
    op.drop_column("users", "is_admin")


def _of_a_user(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_user_id_users"
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name, ondelete="CASCADE")
