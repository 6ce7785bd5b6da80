"""What became of the allocations a proposal named."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column(
        "what_ifs", sa.Column("allocations", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}")
    )
    left = sa.Column("allocations_left", postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default="[]")
    op.add_column("what_ifs", left)
    for column in ("allocations", "allocations_left"):
        op.alter_column("what_ifs", column, server_default=None)


def downgrade() -> None:
    op.drop_column("what_ifs", "allocations_left")
    op.drop_column("what_ifs", "allocations")
