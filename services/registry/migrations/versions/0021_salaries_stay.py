"""A notice may say that what was paid for staff before it stays paid."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("withdrawals", sa.Column("salaries_stay", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("withdrawals", "salaries_stay")
