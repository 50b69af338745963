"""Statements: what is done with staged rows, as SQL whose names a table fills in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Index, literal_column
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.visitors import replacement_traverse

CREATE = """
CREATE TEMPORARY TABLE staged ON COMMIT DROP AS
SELECT 0::bigint AS line, ''::text AS given_id, {columns} FROM {table} WITH NO DATA
"""
TAKEN = """
SELECT place FROM unnest($1::{type}[]) WITH ORDINALITY AS given ({field}, place)
WHERE EXISTS (SELECT FROM {table} t WHERE {key_of_t} = {key_of_given})
"""
CONFLICTS = """
SELECT count(*), min(line), (array_agg(CASE WHEN NOT is_stored THEN first END ORDER BY line))[1] FROM
  (SELECT line, min(line) OVER (PARTITION BY k.kept) AS first,
     EXISTS (SELECT FROM {table} t WHERE {key_of_t} = k.kept) AS is_stored
   FROM staged, LATERAL (SELECT {key}) AS k (kept) WHERE k.kept IS NOT NULL) s
WHERE is_stored OR line > first
"""
INSERT = "INSERT INTO {table} ({columns}) SELECT {values} FROM staged"
SKIP = """
WITH done AS (INSERT INTO {table} ({columns}) SELECT {values} FROM staged ORDER BY line ON CONFLICT DO NOTHING
  RETURNING 1) SELECT count(*), 0 FROM done
"""
# Of two rows with one key the later counts. A row that says what is stored changes nothing, not even the version; nor
# does what a row lacks, where something has to be.
UPDATE = """
WITH latest AS MATERIALIZED (SELECT DISTINCT ON ({key}) * FROM staged ORDER BY {key}, line DESC),
known AS (SELECT l.* FROM latest l WHERE EXISTS (SELECT FROM {table} t WHERE {key_of_t} = {key_of_l})),
changed AS (UPDATE {table} t SET ({changed}) = ROW ({given}) FROM known l
  WHERE {key_of_t} = {key_of_l} AND ({stored}) IS DISTINCT FROM ({given}) RETURNING 1),
added AS (INSERT INTO {table} ({columns})
  SELECT {values} FROM latest WHERE line NOT IN (SELECT line FROM known) ORDER BY line
  ON CONFLICT DO NOTHING RETURNING 1)
SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM changed)
"""
IDS = """
SELECT s.given_id AS old, t.id AS new FROM staged s JOIN {table} t ON {key_of_t} = {key_of_s} ORDER BY s.line
"""
BELONGING_TO_OTHERS = """
SELECT min(s.line) FROM staged s JOIN {table} t ON {key_of_t} = {key_of_s} WHERE t.id <> s.id
"""
TURN = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
LOCK = "SELECT array_agg(id) FROM (SELECT id FROM {table} WHERE {condition} ORDER BY id FOR UPDATE) t"
TAKING_THE_LAST = """
SELECT max(s.line) FROM staged s JOIN {table} t ON {key_of_t} = {key_of_s}
WHERE t.id = ANY ($1) AND NOT EXISTS (SELECT FROM {table} WHERE {condition})
"""
# Who owns it may.
MAY_NUMBER_ON = "has_sequence_privilege(pg_get_serial_sequence('{table}', 'id'), 'UPDATE WITH GRANT OPTION')"
NUMBER_ON = """
SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest(max(id), 1)) FROM {table}
HAVING {may} AND max(id) >
    (SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{table}', 'id')::regclass), 0))
"""
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
PREFIXES = {"": "", "_of_t": "t.", "_of_l": "l.", "_of_s": "s.", "_of_given": "given."}


def key_of(index: Index, prefix: str = "") -> str:
    """What a unique index keeps of a row, as SQL."""

    def named(part: Any, **_: Any) -> Any:
        return literal_column(f"{prefix}{part.name}") if isinstance(part, Column) else None

    key: Any = index.expressions[0]
    renamed: ColumnElement[Any] = replacement_traverse(key, {}, named)  # type: ignore[call-overload]
    return str(renamed.compile(dialect=DIALECT))
