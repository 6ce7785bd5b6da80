"""sums as they were known"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "budget_versions",
        sa.Column("version_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("held_code", sa.String(), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("trace", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_budget_versions")),
    )
    op.create_index(
        "ix_budget_versions_network", "budget_versions", ["network", "contract_year", "scope", "set_at"], unique=False
    )
    columns = "network, contract_year, scope, commissioner, amount, held_code, held_reason, trace, set_at"
    # a sum set before is known from then on
    op.execute(f"INSERT INTO budget_versions ({columns}) SELECT {columns} FROM budgets")  # noqa: S608


def downgrade() -> None:
    op.drop_index("ix_budget_versions_network", table_name="budget_versions")
    op.drop_table("budget_versions")
