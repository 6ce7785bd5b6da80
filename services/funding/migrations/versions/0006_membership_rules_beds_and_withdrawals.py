"""Membership rules, beds and withdrawals"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "bed_counts",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("beds", sa.Integer(), nullable=False),
        sa.Column("supplied_by", sa.Text(), nullable=False),
        sa.Column("supplied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_bed_counts_overlap",
        ),
        sa.CheckConstraint("beds >= 0", name=op.f("ck_bed_counts_not_negative")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_bed_counts")),
    )
    op.create_table(
        "membership_rules",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("first-day", "any-day", "days", name="rulekind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("counted_on", sa.Date(), nullable=True),
        sa.Column("paid_from", sa.String(length=7), nullable=True),
        sa.Column(
            "confidence",
            sa.Enum(
                "confirmed_2", "one_source", "derived", "remembered", name="confidence", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column("sources", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("valid"), "&&"), (sa.column("known"), "&&"), using="gist", name="ex_membership_rules_overlap"
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_membership_rules")),
    )
    op.create_table(
        "withdrawals",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("withdrawal", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=True),
        sa.Column("withdrawn_from", sa.Date(), nullable=True),
        sa.Column("restored_from", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("withdrawal"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_withdrawals_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_withdrawals")),
    )
    op.create_index("ix_withdrawals_network", "withdrawals", ["network"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_withdrawals_network", table_name="withdrawals")
    op.drop_table("withdrawals")
    op.drop_table("membership_rules")
    op.drop_table("bed_counts")
