"""Findings in words"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("run_findings", sa.Column("detail", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("run_findings", "detail")
