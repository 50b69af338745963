"""Spell what is stored as it would be stored today

Texts and addresses from before are brought into NFC, and domains out of punycode, so that filters, sign-in and the
unique index find them. Row by row, in short transactions: nobody waits, and a second run goes on where the first one
ended. A row whose address another one has by now stays as it is, and a warning names both.

`--sql` can only write what PostgreSQL itself can do: NFC, which makes no two addresses one. Domains stay as they are.

Revision ID: 20261125_spellings
Revises: 20261125_versions
"""

from __future__ import annotations

import logging
from typing import Any
from unicodedata import normalize

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.exc import IntegrityError

from app.validation.addresses import normal_email

revision = "20261125_spellings"
down_revision = "20261125_versions"
branch_labels = None
depends_on = None

LENGTHS = {
    "users": {"name": 100, "email": 255},
    "developers": {"name": 100, "specialty": 100, "email": 255},
}
BATCH = 100
"""Rows that are held until they are all changed."""

_log = logging.getLogger("alembic.runtime.migration")


def upgrade() -> None:
    for name, lengths in LENGTHS.items():
        table = sa.table(name, *map(sa.column, ("id", "version", *lengths)))
        if context.is_offline_mode():
            _normalize(table, lengths)
        else:
            _respell(table, lengths)


def downgrade() -> None:
    """Nothing to do: how a text was spelt before is not kept, and older code reads both."""


def _normalize(table: sa.TableClause, lengths: dict[str, int]) -> None:
    for column, length in lengths.items():
        normal = sa.func.normalize(table.c[column], sa.text("NFC"))
        fits = sa.func.char_length(normal) <= sa.literal_column(str(length))
        op.execute(sa.update(table).where(_is_unusual(table.c[column]), fits).values({column: normal}))


def _is_unusual(column: sa.ColumnClause[str]) -> sa.ColumnElement[bool]:
    return column.op("IS NOT")(sa.text("NFC NORMALIZED"))


def _respell(table: sa.TableClause, lengths: dict[str, int]) -> None:
    email = table.c.email
    unusual = [
        # Outside ASCII a domain has other spellings, too: full-width letters and dots, or capitals.
        sa.func.octet_length(email) > sa.func.char_length(email),
        email.ilike("%@%xn--%"),
        *(_is_unusual(table.c[column]) for column in lengths),
    ]
    query = sa.select(table).where(sa.or_(*unusual)).order_by(table.c.id).limit(BATCH)
    after = 0
    while found := op.get_bind().execute(query.where(table.c.id > after)).mappings().all():
        after = found[-1]["id"]
        if rows := [row for given in found if (row := _spelt(table.name, dict(given), lengths)) != given]:
            _store(table, rows, lengths)
            with op.get_context().autocommit_block():
                pass  # It commits: nobody waits for the rows that follow.


def _spelt(table: str, row: dict[str, Any], lengths: dict[str, int]) -> dict[str, Any]:
    spelt = row.copy()
    for column, length in lengths.items():
        try:
            text = normalize("NFC", row[column])
            text = normal_email(text) if column == "email" else text
            if len(text) > length:
                raise ValueError("too long in NFC")
            spelt[column] = text
        except ValueError as error:
            _log.warning("The row %s of %s keeps its %s: %s", row["id"], table, column, error)
    return spelt


def _store(table: sa.TableClause, rows: list[dict[str, Any]], lengths: dict[str, int]) -> None:
    """All at once or, where an address among them is taken, one by one. What has changed since is right already."""
    connection = op.get_bind()
    same = [table.c[key] == sa.bindparam(f"old_{key}", type_=sa.BigInteger) for key in ("id", "version")]
    new = {column: sa.bindparam(f"new_{column}", type_=sa.String) for column in lengths}
    values = [
        {f"old_{key}": row[key] for key in ("id", "version")} | {f"new_{column}": row[column] for column in lengths}
        for row in rows
    ]
    try:
        with connection.begin_nested():
            connection.execute(sa.update(table).where(*same).values(new), values)
    except IntegrityError:
        if len(rows) > 1:
            for row in rows:
                _store(table, [row], lengths)
            return
        taken = sa.func.address_key(table.c.email) == sa.func.address_key(rows[0]["email"])
        owner = connection.scalar(sa.select(table.c.id).where(taken))
        _log.warning("The row %s of %s keeps its spelling: the row %s has that address", rows[0]["id"], table, owner)
