"""Relabellings"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.create_table(
        "relabellings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("from_stream", sa.String(length=64), nullable=False),
        sa.Column("to_stream", sa.String(length=64), nullable=False),
        sa.Column("share", sa.Numeric(), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("known_from", sa.Date(), nullable=False),
        sa.Column("supersedes", sa.String(length=64), nullable=True),
        sa.Column("sources", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("from_stream <> to_stream", name=op.f("ck_relabellings_two_streams")),
        sa.CheckConstraint("share >= 0 AND share <= 1", name=op.f("ck_relabellings_share")),
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_relabellings_days_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relabellings")),
    )
    op.create_index("ix_relabellings_contract_year", "relabellings", ["contract_year"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_relabellings_contract_year", table_name="relabellings")
    op.drop_table("relabellings")
