"""Debts written off or recovered otherwise."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "settled_debts",
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.PrimaryKeyConstraint("decision", "network", name=op.f("pk_settled_debts")),
    )
    op.create_index("ix_settled_debts_network", "settled_debts", ["network", "contract_year"])


def downgrade() -> None:
    op.drop_table("settled_debts")
