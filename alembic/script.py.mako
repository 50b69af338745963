<%
    def body(drafted):
        # What only the service knows of a table, and the ends of a draft.
        unwanted = ("info=", "# ###")
        lines = [line for line in (drafted or "pass").splitlines() if not line.lstrip().startswith(unwanted)]
        return "\n".join(lines).strip()
%>"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

from __future__ import annotations

import sqlalchemy as sa
${imports if imports else ""}
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}
# Where this contracts: the oldest revision whose code can live with it.
needs = None


def upgrade() -> None:
    ${body(upgrades)}


def downgrade() -> None:
    ${body(downgrades)}
