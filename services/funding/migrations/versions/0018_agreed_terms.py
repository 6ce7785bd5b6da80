"""What signed agreements say of dividing the money, as suggestions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "agreed_terms",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("agreement_version", sa.Integer(), nullable=False),
        sa.Column("in_force_from", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("method", sa.String(length=32), nullable=True),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("points_weighted", sa.Boolean(), nullable=False),
        sa.Column("costs_first", sa.Boolean(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("ended_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("network", "agreement_version", name=op.f("pk_agreed_terms")),
    )


def downgrade() -> None:
    op.drop_table("agreed_terms")
