"""Count without waiting for anybody

A counter that another transaction holds is passed over: a writer takes its own, else any free one, else a new one. So
nobody waits for a transaction that somebody forgot. The triggers know the name that their table is counted under, the
functions their schema, so that neither a renamed table nor a restore with an empty `search_path` stops the count, and
who may write to a table needs no right on the counters.

Revision ID: 20261125_counts
Revises: 20261121_developers
"""

from __future__ import annotations

from alembic import context, op

revision = "20261125_counts"
down_revision = "20261121_developers"
branch_labels = None
depends_on = None

# In this order everywhere: writers, too, hold their table before a counter.
LOCK_COUNTED = """
DO $$
DECLARE
    counted regclass;
BEGIN
    FOR counted IN SELECT DISTINCT tgrelid::regclass FROM pg_trigger WHERE tgfoid = 'count_rows'::regproc LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', counted);
    END LOOP;
END
$$
"""

# Who wants to add to a counter tries the lock of its number, and goes on to the next where somebody has it: the first
# sixteen are enough but for a crowd. Nobody ever waits, for a lock or for a row. Above READ COMMITTED a row that
# somebody else has changed cannot be changed any more: those transactions write rows of their own, whose numbers are
# theirs, below nought. Now and then a writer takes in all that is beyond the sixteen; the lock -1 is for that.
COUNT_ROWS = """
CREATE OR REPLACE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    counted text := TG_ARGV[0];
    free int := pg_backend_pid() % 16;
    next int := 0;
    spare bigint;
    change bigint;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        -- It has waited for everybody who writes to the table, so nobody holds a counter.
        DELETE FROM row_counts WHERE table_name = counted;
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT count(*) INTO change FROM new_rows;
    ELSE
        SELECT -count(*) INTO change FROM old_rows;
    END IF;
    IF change = 0 THEN
        RETURN NULL;
    ELSIF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        INSERT INTO row_counts VALUES (counted, -pg_current_xact_id()::text::bigint, change)
        ON CONFLICT (table_name, slot) DO UPDATE SET total = row_counts.total + excluded.total;
        RETURN NULL;
    END IF;
    IF random() < 0.02 AND pg_try_advisory_xact_lock(TG_RELID::int, -1) THEN
        FOR spare IN DELETE FROM row_counts WHERE table_name = counted
            AND (slot < 0 OR slot > 15 AND pg_try_advisory_xact_lock(TG_RELID::int, slot::int)) RETURNING total LOOP
            change := change + spare;
        END LOOP;
    END IF;
    WHILE NOT pg_try_advisory_xact_lock(TG_RELID::int, free) LOOP
        free := next;
        next := next + 1;
    END LOOP;
    UPDATE row_counts SET total = total + change WHERE table_name = counted AND slot = free;
    IF NOT FOUND THEN
        INSERT INTO row_counts VALUES (counted, free, change);
    END IF;
    RETURN NULL;
END
$$
"""

# One statement counts the rows and the counters, so both as of one moment: nobody has to stop writing.
RECOUNT = """
CREATE FUNCTION recount(counted text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    relation regclass := (SELECT tgrelid FROM pg_trigger WHERE tgfoid = 'count_rows'::regproc
        AND tgargs = convert_to(counted, 'UTF8') || '\\x00' LIMIT 1);
    drift bigint;
BEGIN
    IF relation IS NULL THEN
        RAISE EXCEPTION 'no table is counted as %: SELECT start_counting(...) first', quote_literal(counted);
    ELSIF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'recount needs READ COMMITTED';
    END IF;
    PERFORM pg_advisory_xact_lock(relation::oid::int, -2);
    EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', relation);  -- No TRUNCATE between the snapshot and the count.
    EXECUTE format('SELECT (SELECT count(*) FROM %s) - coalesce(sum(total), 0) FROM row_counts WHERE table_name = %L',
        relation, counted) INTO drift;
    IF drift <> 0 THEN
        INSERT INTO row_counts VALUES (counted, -pg_current_xact_id()::text::bigint, drift)
        ON CONFLICT (table_name, slot) DO UPDATE SET total = row_counts.total + excluded.total;
    END IF;
    RETURN drift;
END
$$
"""

START_COUNTING = """
CREATE OR REPLACE FUNCTION start_counting(counted text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows'
        ' FOR EACH STATEMENT EXECUTE FUNCTION count_rows(%L)', counted || '_inserted', counted, counted);
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows'
        ' FOR EACH STATEMENT EXECUTE FUNCTION count_rows(%L)', counted || '_deleted', counted, counted);
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER %I AFTER TRUNCATE ON %I'
        ' FOR EACH STATEMENT EXECUTE FUNCTION count_rows(%L)', counted || '_truncated', counted, counted);
    PERFORM recount(counted);
END
$$
"""

# pg_restore works with an empty search_path. Where it finds the triggers in place they count what it copies, and the
# counts in the dump would come on top.
SKIP_RESTORED = """
CREATE FUNCTION skip_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;
END
$$
"""
GUARD = """
CREATE TRIGGER row_counts_restored BEFORE INSERT ON row_counts FOR EACH ROW
WHEN (current_setting('search_path') = '') EXECUTE FUNCTION skip_row()
"""

# A trigger's function needs no EXECUTE when it fires; who may attach it to a table of his own could falsify a count.
PROTECT = """
DO $$
DECLARE
    changed text;
BEGIN
    FOREACH changed IN ARRAY ARRAY['count_rows()', 'recount(text)', 'start_counting(text)'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', changed, current_schema());
    END LOOP;
END
$$
"""

RESTART = """
DO $$
DECLARE
    counted text;
BEGIN
    FOR counted IN SELECT DISTINCT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE tgfoid = 'count_rows'::regproc LOOP
        PERFORM start_counting(counted);
    END LOOP;
END
$$
"""

RESTART_AS_BEFORE = """
DO $$
DECLARE
    counting record;
    trigger_name name;
BEGIN
    FOR counting IN SELECT relname, array_agg(tgname) AS triggers FROM pg_trigger
        JOIN pg_class ON pg_class.oid = tgrelid WHERE tgfoid = 'count_rows'::regproc GROUP BY relname LOOP
        FOREACH trigger_name IN ARRAY counting.triggers LOOP
            EXECUTE format('DROP TRIGGER %I ON %I', trigger_name, counting.relname);
        END LOOP;
        PERFORM start_counting(counting.relname);
    END LOOP;
END
$$
"""


def upgrade() -> None:
    op.execute(LOCK_COUNTED)
    op.execute("-- squawk-ignore changing-column-type\nALTER TABLE row_counts ALTER COLUMN slot TYPE bigint")
    op.execute("DELETE FROM row_counts WHERE total = 0")  # Counters come when they are needed.
    for statement in (COUNT_ROWS, RECOUNT, START_COUNTING, SKIP_RESTORED, GUARD, PROTECT, RESTART):
        op.execute(statement)
    op.execute("REVOKE EXECUTE ON FUNCTION count_rows() FROM PUBLIC")
    # How many rows a table has is no secret: pg_class tells everybody about as much.
    op.execute("GRANT SELECT ON row_counts TO PUBLIC")


def downgrade() -> None:
    before = context.script.get_revision("20261121_counts").module
    op.execute(LOCK_COUNTED)
    op.execute("DROP TRIGGER row_counts_restored ON row_counts")
    op.execute("DROP FUNCTION skip_row(), recount(text), start_counting(text)")
    op.execute("DELETE FROM row_counts")  # Everything is counted anew.
    op.execute("REVOKE SELECT ON row_counts FROM PUBLIC")
    op.execute("ALTER TABLE row_counts ALTER COLUMN slot TYPE smallint")
    op.execute(before.COUNT_ROWS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("GRANT EXECUTE ON FUNCTION count_rows() TO PUBLIC")
    op.execute(before.START_COUNTING)
    op.execute(RESTART_AS_BEFORE)
