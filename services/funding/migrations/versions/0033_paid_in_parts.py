"""Claims are paid in parts where a lowered sum does not reach all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    for table in ("claims", "arrears_claims"):
        for kept in (table, f"{table}_before"):
            op.add_column(
                kept, sa.Column("paid", sa.Numeric(precision=14, scale=2), server_default="0", nullable=False)
            )
        # what was paid by now was paid whole: no new state, but a figure every state has
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_state_kept")
        op.execute(f"UPDATE {table} SET paid = payable WHERE status = 'paid'")  # noqa: S608 - a constant
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_state_kept")
        op.execute(f"UPDATE {table}_before SET paid = payable WHERE status = 'paid'")  # noqa: S608 - a constant


def downgrade() -> None:
    for table in ("claims", "arrears_claims"):
        for kept in (table, f"{table}_before"):
            op.drop_column(kept, "paid")
