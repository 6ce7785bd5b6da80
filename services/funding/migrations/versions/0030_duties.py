"""Duties"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.create_table(
        "duties",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("duty", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("instead_of", sa.String(length=64), nullable=True),
        sa.Column(
            "basis",
            sa.Enum("registered", "weighted", "adjusted", "beds", "wte", name="basis", native_enum=False, length=32),
            nullable=True,
        ),
        sa.Column("per_1000", sa.Numeric(), nullable=True),
        sa.Column("rounded_to", sa.Integer(), nullable=True),
        sa.Column("counted_at", sa.Date(), nullable=True),
        sa.Column(
            "confidence",
            sa.Enum(
                "confirmed_2",
                "one_source",
                "derived",
                "remembered",
                name="confidence",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("sources", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        sa.CheckConstraint("(basis IS NULL) = (per_1000 IS NULL)", name=op.f("ck_duties_figure")),
        sa.CheckConstraint("per_1000 >= 0 AND rounded_to > 0", name=op.f("ck_duties_not_negative")),
        postgresql.ExcludeConstraint(
            (sa.column("scope"), "="),
            (sa.column("duty"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_duties_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_duties")),
    )
    op.add_column(
        "variations",
        sa.Column("duties", postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default="[]"),
    )


def downgrade() -> None:
    op.drop_column("variations", "duties")
    op.drop_table("duties")
