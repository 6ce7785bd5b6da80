"""claims made again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("claims", sa.Column("attempt", sa.Integer(), server_default="1", nullable=False))
    op.add_column("claims", sa.Column("resubmits", sa.Text(), nullable=True))
    op.add_column("claims", sa.Column("first_made_on", sa.Date(), nullable=True))
    op.add_column("claims", sa.Column("withheld_days", sa.Numeric(), server_default="0", nullable=False))
    op.drop_constraint(op.f("uq_claims_post_month"), "claims", type_="unique")
    op.create_unique_constraint(op.f("uq_claims_post_month_attempt"), "claims", ["post", "month", "attempt"])
    op.add_column("posts", sa.Column("person", sa.String(length=64), nullable=True))
    op.add_column("posts", sa.Column("standing", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    op.drop_column("posts", "standing")
    op.drop_column("posts", "person")
    op.drop_constraint(op.f("uq_claims_post_month_attempt"), "claims", type_="unique")
    op.create_unique_constraint(
        op.f("uq_claims_post_month"), "claims", ["post", "month"], postgresql_nulls_not_distinct=False
    )
    op.drop_column("claims", "withheld_days")
    op.drop_column("claims", "first_made_on")
    op.drop_column("claims", "resubmits")
    op.drop_column("claims", "attempt")
