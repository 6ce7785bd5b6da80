"""A round can be given up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("rounds", sa.Column("abandoned_on", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("rounds", "abandoned_on")
