"""Rows: those that could not stay as they are, by their number and the first of their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Connection

from app.credentials.hash_forms import refused_kind
from app.database.adoption.doubts import INTEGERS, is_text
from app.database.adoption.found import Found
from app.database.adoption.words import counted, rows

_FIRST = 5
SAMPLE = 10_000
"""Rows that are looked at, or measured, for all."""

_WHICH = """
SELECT count(*), ARRAY(SELECT id FROM {relation} WHERE {condition} ORDER BY id LIMIT {first})
FROM {relation} WHERE {condition}
"""
_TWINS = """
SELECT count(*), (array_agg(ids ORDER BY ids))[1:{first}] FROM (
    SELECT array_agg(id ORDER BY id) AS ids FROM {relation} WHERE email IS NOT NULL GROUP BY {key} HAVING count(*) > 1
) AS twins
"""


def count(connection: Connection, table: Found) -> int:
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table.relation}").scalar_one())  # noqa: S608


def of_rows(connection: Connection, table: Found) -> Iterator[str]:
    """What the rows say against a table that can be read."""
    if "id" not in table.columns:
        return
    for name, condition, told in _limits(table):
        names = {"relation": table.relation, "condition": condition, "first": _FIRST}
        number, ids = connection.exec_driver_sql(_WHICH.format(**names)).one()
        if number:
            yield f"{table.name}.{name} {told} in {counted(number, 'row')}: {rows(ids, number)}"
    if "email" in table.columns and is_text(table.columns["email"].type):
        yield from _twins(connection, table)


def _limits(table: Found) -> Iterator[tuple[str, str, str]]:
    """Columns, what would be too much for them, and how that is told."""
    kinds = {name: column.type for name, column in table.columns.items()}
    if kinds["id"] in INTEGERS:
        yield "id", "id < 1", "is less than 1"
    if kinds.get("created_at", "").startswith("timestamp"):
        # What is read has to be a date of Python's in every time zone.
        told = "is beyond the years 1 to 9999"
        yield "created_at", "created_at NOT BETWEEN '0001-01-02' AND '9999-12-30'", told
    for name, size in table.shape.texts.items():
        if is_text(kinds.get(name, "")):
            if table.columns[name].nullable:
                yield name, f"{name} IS NULL", "is NULL"
            if kinds[name] != f"character varying({size})":
                yield name, f"char_length({name}) > {size}", f"is longer than {size} characters"


def of_hashes(connection: Connection, table: Found) -> Iterator[str]:
    """Who of the first cannot sign in; whatever begins as ours do is tried."""
    if "hashed_password" in table.shape.texts:
        looked = f"SELECT hashed_password FROM {table.relation} LIMIT {SAMPLE}"  # noqa: S608  # quoted
        hashes = [str(hashed) for hashed in connection.exec_driver_sql(looked).scalars()]
        kinds = Counter(refused_kind(hashed) for hashed in hashes if not hashed.startswith(("$2", "$argon2")))
        for kind, number in kinds.items():
            if kind is not None:
                told = "cannot be checked at a sign-in, so that a password has to be set anew"
                yield f"{counted(number, 'hash', 'es')} of {len(hashes):,} {told}: {kind}"


def _twins(connection: Connection, table: Found) -> Iterator[str]:
    """By the key of the first index, too, which is the database's own `lower`."""
    for key in ("lower(email)", "pg_temp.address_key(email)"):
        found = connection.exec_driver_sql(_TWINS.format(relation=table.relation, key=key, first=_FIRST)).one()
        number, twins = found
        if number:
            ids = rows([" and ".join(map(str, ids)) for ids in twins or ()], number)
            yield (
                f"{table.name}: {counted(number, 'address', 'es')} in more than one row, letter case aside: {ids}."
                " Change or delete all but one of each"
            )
            return
