"""Local variations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("ceilings", sa.Column("scope", sa.String(length=64), nullable=False, server_default="national"))
    op.create_table(
        "variations",
        sa.Column("variation", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("caps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("variation", name=op.f("pk_variations")),
    )
    op.create_table(
        "network_terms",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("spans", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("network", name=op.f("pk_network_terms")),
    )


def downgrade() -> None:
    op.drop_table("network_terms")
    op.drop_table("variations")
    op.drop_column("ceilings", "scope")
