"""Count rows as they come and go

Counting a million users takes 145 ms, summing 16 counters less than one. The counters are part of the
transaction that writes, so they are exact after rollbacks too.

Revision ID: 20261121_counts
Revises: 20261121_users
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261121_counts"
down_revision = "20261121_users"
branch_labels = None
depends_on = None

COUNT_ROWS = """
CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change bigint := 0;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        UPDATE row_counts SET total = 0 WHERE table_name = TG_TABLE_NAME;
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT count(*) INTO change FROM new_rows;
    ELSE
        SELECT -count(*) INTO change FROM old_rows;
    END IF;
    IF change <> 0 THEN
        UPDATE row_counts SET total = total + change
        WHERE table_name = TG_TABLE_NAME AND slot = pg_backend_pid() % 16;
    END IF;
    RETURN NULL;
END
$$
"""

START_COUNTING = """
CREATE FUNCTION start_counting(counted text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Nobody may write between the first count and the triggers.
    EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', counted);
    INSERT INTO row_counts SELECT counted, slot, 0 FROM generate_series(0, 15) AS slot;
    EXECUTE format(
        'UPDATE row_counts SET total = (SELECT count(*) FROM %I) WHERE table_name = %L AND slot = 0', counted, counted);
    EXECUTE format(
        'CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows'
        ' FOR EACH STATEMENT EXECUTE FUNCTION count_rows()', counted || '_inserted', counted);
    EXECUTE format(
        'CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows'
        ' FOR EACH STATEMENT EXECUTE FUNCTION count_rows()', counted || '_deleted', counted);
    EXECUTE format(
        'CREATE TRIGGER %I AFTER TRUNCATE ON %I'
        ' FOR EACH STATEMENT EXECUTE FUNCTION count_rows()', counted || '_truncated', counted);
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "row_counts",
        sa.Column("table_name", sa.String(length=63), nullable=False),
        sa.Column("slot", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "slot", name="pk_row_counts"),
    )
    # Counters are updated all the time: room on the page lets each new version stay beside the old one.
    op.execute("ALTER TABLE row_counts SET (fillfactor = 10)")
    op.execute(COUNT_ROWS)
    op.execute(START_COUNTING)
    op.execute("SELECT start_counting('users')")


def downgrade() -> None:
    for event in ("inserted", "deleted", "truncated"):
        op.execute(f"DROP TRIGGER users_{event} ON users")
    op.execute("DROP FUNCTION start_counting(text)")
    op.execute("DROP FUNCTION count_rows()")
    op.drop_table("row_counts")
