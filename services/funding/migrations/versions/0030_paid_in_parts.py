"""Claims are paid in parts where a lowered sum does not reach all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    for table in ("claims", "arrears_claims"):
        op.add_column(table, sa.Column("paid", sa.Numeric(precision=14, scale=2), server_default="0", nullable=False))
    op.execute("UPDATE claims SET paid = payable WHERE status = 'paid'")
    op.execute("UPDATE arrears_claims SET paid = payable WHERE status = 'paid'")


def downgrade() -> None:
    for table in ("claims", "arrears_claims"):
        op.drop_column(table, "paid")
