"""Patients who are served at first and left out from a day of the year are named with that day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("decided_covers", sa.Column("left_out_from", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("decided_covers", "left_out_from")
