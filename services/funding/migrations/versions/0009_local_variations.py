"""Local variations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "variation_consents",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("variation", sa.String(length=64), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("variation"), "="),
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_variation_consents_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_variation_consents")),
    )
    op.create_index("ix_variation_consents_practice", "variation_consents", ["practice"], unique=False)
    op.create_table(
        "variations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("practices", postgresql.ARRAY(sa.String(length=32)), nullable=False),
        sa.Column("items", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "status",
            sa.Enum("proposed", "approved", "refused", name="variationstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("national_total", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("varied_total", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_variations_days_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variations")),
    )
    op.create_index("ix_variations_commissioner", "variations", ["commissioner"], unique=False)
    # rates already there are national; none is edited for it
    op.add_column("tariffs", sa.Column("scope", sa.String(length=64), nullable=False, server_default="national"))
    op.alter_column("tariffs", "scope", server_default=None)


def downgrade() -> None:
    op.drop_column("tariffs", "scope")
    op.drop_index("ix_variations_commissioner", table_name="variations")
    op.drop_table("variations")
    op.drop_index("ix_variation_consents_practice", table_name="variation_consents")
    op.drop_table("variation_consents")
