"""What was paid for months without the right to be paid is taken back, unless salaries were to stay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.add_column("withdrawals", sa.Column("salaries_stay", sa.Text(), nullable=True))
    op.add_column("withdrawals", sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE withdrawals AS w SET heard_at = first.known FROM (SELECT withdrawal, min(lower(known)) AS known "
        "FROM withdrawals WHERE withdrawn_from IS NOT NULL GROUP BY withdrawal) AS first "
        "WHERE first.withdrawal = w.withdrawal"
    )
    for table in ("claims", "arrears_claims"):
        op.add_column(
            table,
            sa.Column("taken_back", sa.Numeric(precision=14, scale=2), server_default="0", nullable=False),
        )


def downgrade() -> None:
    for table in ("claims", "arrears_claims"):
        op.drop_column(table, "taken_back")
    op.drop_column("withdrawals", "heard_at")
    op.drop_column("withdrawals", "salaries_stay")
