"""Compare addresses by rules of their own, whatever the locale of the database

A database in the locale C does not know that É and é are one letter, a Turkish one holds I and i for two. So the
function that makes the key of an address names its collation: Unicode's own rules, from the first of these that the
server has. The small sigma is one letter at the end of a word, too, and what `lower` takes apart is put together again.
While the indexes are built everybody waits, for about two seconds a million rows. Readers could go on until the old
index is dropped, but one who goes on to write would then wait for us, and we for him. Code from before would not find
the index for its `import --on-conflict update`.

Revision ID: 20261125_addresses
Revises: 20261125_counts
"""

from __future__ import annotations

from alembic import op

revision = "20261125_addresses"
down_revision = "20261125_counts"
branch_labels = None
depends_on = None
needs = revision

ADDRESS_KEY = """
DO $$
DECLARE
    known text[] := ARRAY['pg_unicode_fast', 'und-x-icu', 'pg_c_utf8', 'C.utf8', 'C.UTF-8'];
    chosen text := (SELECT collname FROM pg_collation
        WHERE collname = ANY (known) AND collnamespace = 'pg_catalog'::regnamespace
        AND collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding())) AND getdatabaseencoding() = 'UTF8'
        ORDER BY array_position(known, collname::text) LIMIT 1);
BEGIN
    IF chosen IS NULL THEN
        RAISE EXCEPTION 'no collation here knows the letter case of all alphabets: '
            'the database must be in UTF8, on a server with ICU or of version 17 or later';
    END IF;
    EXECUTE format('CREATE FUNCTION address_key(address text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE'
        ' RETURN normalize(translate(lower(address COLLATE %I), ''\u03c2'', ''\u03c3''), NFC)', chosen);
END
$$
"""

REFUSE_TWINS = """
DO $$
DECLARE
    owned text;
    twins text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['users', 'developers'] LOOP
        EXECUTE format('SELECT string_agg(ids, ''; '') FROM (SELECT string_agg(id::text, '' and '' ORDER BY id) AS ids'
            ' FROM %I GROUP BY address_key(email) HAVING count(*) > 1 ORDER BY min(id) LIMIT 10) AS twins', owned)
            INTO twins;
        IF twins IS NOT NULL THEN
            RAISE EXCEPTION 'some addresses differ in nothing but letter case: of % the rows %. '
                'Change or delete all but one of each, then upgrade again', owned, twins;
        END IF;
    END LOOP;
END
$$
"""


def upgrade() -> None:
    op.execute(ADDRESS_KEY)
    op.execute("LOCK TABLE users, developers IN ACCESS EXCLUSIVE MODE")
    op.execute(REFUSE_TWINS)
    _index_by("address_key(email)")


def downgrade() -> None:
    op.execute("LOCK TABLE users, developers IN ACCESS EXCLUSIVE MODE")
    _index_by("lower(email)")
    op.execute("DROP FUNCTION address_key(text)")


def _index_by(key: str) -> None:
    """Between two indexes one address could have two owners, so writes wait."""
    for table in ("users", "developers"):
        new, old = f"ix_{table}_email_new", f"ix_{table}_email"
        op.execute(f"-- squawk-ignore require-concurrent-index-creation\nCREATE UNIQUE INDEX {new} ON {table} ({key})")
        op.execute(f"-- squawk-ignore require-concurrent-index-deletion\nDROP INDEX {old}")
        op.execute(f"-- squawk-ignore renaming-object\nALTER INDEX {new} RENAME TO {old}")
