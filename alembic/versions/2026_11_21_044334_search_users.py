"""Search users by parts of their name and address

The indexes need the extension pg_trgm, which comes with PostgreSQL but not with every build of it. Without it
the search gives the same answers by reading the whole table.

Revision ID: 20261121_search
Revises: 20261121_counts
"""

from __future__ import annotations

from alembic import op

revision = "20261121_search"
down_revision = "20261121_counts"
branch_labels = None
depends_on = None

INDEX_FOR_SEARCH = """
CREATE FUNCTION index_for_search(searched text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place regnamespace;
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        SELECT extnamespace::regnamespace INTO place FROM pg_extension WHERE extname = 'pg_trgm';
        EXECUTE format(
            'CREATE INDEX %I ON %I USING gin (name %s.gin_trgm_ops, email %3$s.gin_trgm_ops)',
            'ix_' || searched || '_trgm', searched, place);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'pg_trgm may not be created here: searches will read the whole table';
END
$$
"""


def upgrade() -> None:
    op.execute(INDEX_FOR_SEARCH)
    op.execute("SELECT index_for_search('users')")


def downgrade() -> None:
    op.execute("DROP FUNCTION index_for_search(text)")
    op.execute("DROP INDEX IF EXISTS ix_users_trgm")
