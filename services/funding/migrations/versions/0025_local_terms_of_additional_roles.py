"""Local terms of additional roles"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    for column in ("sums", "ceilings", "caps", "roles"):
        op.add_column(
            "variations",
            sa.Column(column, postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default="[]"),
        )
    op.create_table(
        "local_terms",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("variation", sa.String(length=64), nullable=False),
        sa.Column("practices", postgresql.ARRAY(sa.String(length=32)), nullable=False),
        sa.Column("every_member", sa.Boolean(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("variation"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_local_terms_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_local_terms")),
    )
    op.create_index("ix_local_terms_network", "local_terms", ["network"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_local_terms_network", table_name="local_terms")
    op.drop_table("local_terms")
    for column in ("roles", "caps", "ceilings", "sums"):
        op.drop_column("variations", column)
