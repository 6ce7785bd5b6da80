"""How sums for additional roles follow members and rights through the year."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.create_table(
        "budget_rules",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "kind", sa.Enum("months", "year", name="budgetrulekind", native_enum=False, length=32), nullable=False
        ),
        sa.Column("sources", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("valid"), "&&"), (sa.column("known"), "&&"), using="gist", name="ex_budget_rules_overlap"
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_budget_rules")),
    )


def downgrade() -> None:
    op.drop_table("budget_rules")
