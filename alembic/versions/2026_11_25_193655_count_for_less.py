"""Count for less

A function with a `search_path` of its own switches it for each statement that is counted, which cost an insert a tenth
of its CPU. What nearly every statement does needs none any more, as each name in it says its schema, operators too: it
runs with the owner's rights, and must not take a function or an operator of its caller's. The rest is a function that
has one, and is called where a counter is held by somebody else, is not there yet, or shall take in others.

Revision ID: 20261125_cheap_counts
Revises: 20261125_spellings
"""

from __future__ import annotations

from alembic import context, op

revision = "20261125_cheap_counts"
down_revision = "20261125_spellings"
branch_labels = None
depends_on = None

# As `count_rows` was before, but for its own counter being free.
COUNT_ELSEWHERE = """
CREATE FUNCTION count_elsewhere(counted text, relation int, change bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    free int := pg_backend_pid() % 16;
    next int := 0;
    spare bigint;
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        INSERT INTO row_counts VALUES (counted, -pg_current_xact_id()::text::bigint, change)
        ON CONFLICT (table_name, slot) DO UPDATE SET total = row_counts.total + excluded.total;
        RETURN;
    END IF;
    IF pg_try_advisory_xact_lock(relation, -1) THEN
        FOR spare IN DELETE FROM row_counts WHERE table_name = counted
            AND (slot < 0 OR slot > 15 AND pg_try_advisory_xact_lock(relation, slot::int)) RETURNING total LOOP
            change := change + spare;
        END LOOP;
    END IF;
    WHILE NOT pg_try_advisory_xact_lock(relation, free) LOOP
        free := next;
        next := next + 1;
    END LOOP;
    UPDATE row_counts SET total = total + change WHERE table_name = counted AND slot = free;
    IF NOT FOUND THEN
        INSERT INTO row_counts VALUES (counted, free, change);
    END IF;
END
$$
"""

COUNT_ROWS = """
CREATE OR REPLACE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    own int := pg_catalog.mod(pg_catalog.pg_backend_pid(), 16);
    change bigint;
BEGIN
    IF TG_OP [=] 'INSERT' THEN
        SELECT pg_catalog.count(*) INTO change FROM new_rows;
    ELSIF TG_OP [=] 'DELETE' THEN
        SELECT 0 [-] pg_catalog.count(*) INTO change FROM old_rows;
    ELSE
        -- It has waited for everybody who writes to the table, so nobody holds a counter.
        DELETE FROM [schema].row_counts WHERE table_name [=] TG_ARGV[0];
        RETURN NULL;
    END IF;
    IF change [=] 0 THEN
        RETURN NULL;
    END IF;
    -- Now and then a writer takes in what is beyond the sixteen.
    IF pg_catalog.random() [>] 0.02 AND pg_catalog.current_setting('transaction_isolation') [=] 'read committed'
        AND pg_catalog.pg_try_advisory_xact_lock(TG_RELID::int, own) THEN
        UPDATE [schema].row_counts SET total = total [+] change WHERE table_name [=] TG_ARGV[0] AND slot [=] own;
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM [schema].count_elsewhere(TG_ARGV[0], TG_RELID::int, change);
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    op.execute(COUNT_ELSEWHERE)
    _protect("count_elsewhere(text, int, bigint)")
    op.execute("REVOKE EXECUTE ON FUNCTION count_elsewhere(text, int, bigint) FROM PUBLIC")
    source = COUNT_ROWS
    for operator in "=->+":
        source = source.replace(f"[{operator}]", f"OPERATOR(pg_catalog.{operator})")
    source = source.replace("'", "''")
    op.execute(f"DO $do$ BEGIN EXECUTE replace('{source}', '[schema]', quote_ident(current_schema())); END $do$")


def downgrade() -> None:
    before = context.script.get_revision("20261125_counts").module
    op.execute(before.LOCK_COUNTED)
    op.execute(before.COUNT_ROWS)
    _protect("count_rows()")
    op.execute("DROP FUNCTION count_elsewhere(text, int, bigint)")


def _protect(function: str) -> None:
    alter = f"'ALTER FUNCTION {function} SET search_path = %I, pg_temp'"
    op.execute(f"DO $do$ BEGIN EXECUTE format({alter}, current_schema()); END $do$")
