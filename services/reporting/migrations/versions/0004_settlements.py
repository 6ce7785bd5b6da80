"""What became of payment instructions, by network."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "settlements",
        sa.Column("instruction", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=32), nullable=False),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("returned", sa.Boolean(), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("instruction", "network", name=op.f("pk_settlements")),
    )
    op.create_index("ix_settlements_network", "settlements", ["network", "contract_year"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_settlements_network", table_name="settlements")
    op.drop_table("settlements")
