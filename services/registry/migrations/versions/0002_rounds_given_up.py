"""A round can be given up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("rounds", sa.Column("abandoned_on", sa.Date(), nullable=True))
    op.add_column("rounds", sa.Column("abandoned_by", sa.Text(), nullable=True))
    op.add_column("rounds", sa.Column("abandon_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("rounds", "abandon_reason")
    op.drop_column("rounds", "abandoned_by")
    op.drop_column("rounds", "abandoned_on")
