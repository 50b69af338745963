"""Let the database keep versions

Whatever writes moves the version then: SQLAlchemy, Core, a foreign key that sets null, psql. It is a bigint of
microseconds, so that no ETag comes again: not for a new row with an old id, and not after a backup was restored.

Rewrites both tables, under a lock that keeps everybody else out meanwhile. Code from before binds versions as
integers of four bytes, and could not write any more.

Revision ID: 20261125_versions
Revises: 20261125_addresses
"""

from __future__ import annotations

from alembic import op

revision = "20261125_versions"
down_revision = "20261125_addresses"
branch_labels = None
depends_on = None
needs = revision

NEW_VERSION = """
CREATE FUNCTION new_version() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT CAST(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000 AS bigint)
$$
"""
MOVE_VERSION = """
CREATE FUNCTION move_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := greatest(
        OLD.version + 1, CAST(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000 AS bigint));
    RETURN NEW;
END
$$
"""
KEEP_VERSIONS = """
CREATE FUNCTION keep_versions(kept regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ALTER COLUMN version SET DEFAULT new_version()', kept);
    EXECUTE format(
        'CREATE TRIGGER move_version BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION move_version()', kept);
END
$$
"""
TABLES = ("users", "developers")


def upgrade() -> None:
    op.execute(NEW_VERSION)
    op.execute(MOVE_VERSION)
    op.execute(KEEP_VERSIONS)
    for table in TABLES:
        op.execute(
            "-- squawk-ignore changing-column-type\n"
            f"ALTER TABLE {table} ALTER COLUMN version TYPE bigint USING version + new_version()"
        )
        op.execute(f"SELECT keep_versions('{table}')")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER move_version ON {table}")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN version DROP DEFAULT")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN version TYPE integer USING 1")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN version SET DEFAULT 1")
    op.execute("DROP FUNCTION keep_versions(regclass)")
    op.execute("DROP FUNCTION move_version()")
    op.execute("DROP FUNCTION new_version()")
