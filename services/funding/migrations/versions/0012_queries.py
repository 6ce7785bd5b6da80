"""Queries of payment lines and the clock they run by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "query_clocks",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("working_days", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("scope"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_query_clocks_overlap",
        ),
        sa.CheckConstraint("working_days > 0", name=op.f("ck_query_clocks_some_days")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_query_clocks")),
    )
    op.create_table(
        "payment_queries",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("line", sa.String(length=80), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=True),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("stream", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("paid", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("by_rule", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expected", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("raised_for", sa.String(length=32), nullable=False),
        sa.Column("raised_by", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_on", sa.Date(), nullable=False),
        sa.Column("answer_by", sa.Date(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("open", "proposed", "answered", "withdrawn", name="querystate", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column(
            "kind",
            sa.Enum("explanation", "correction", "adjustment", name="answerkind", native_enum=False, length=32),
            nullable=True,
        ),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("correction", sa.Text(), nullable=True),
        sa.Column("paid_before", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("amount_due", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("adjustment", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("adjusted_in", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind <> 'adjustment' OR state <> 'answered' OR approved_by IS NOT NULL",
            name=op.f("ck_payment_queries_approved"),
        ),
        sa.CheckConstraint("approved_by <> answered_by", name=op.f("ck_payment_queries_two_people")),
        sa.ForeignKeyConstraint(["line"], ["payment_lines.id"], name=op.f("fk_payment_queries_line")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_queries")),
    )
    op.create_index("ix_payment_queries_network", "payment_queries", ["network"], unique=False)
    op.create_index("ix_payment_queries_payee", "payment_queries", ["payee"], unique=False)
    op.create_index("ix_payment_queries_state", "payment_queries", ["state", "answer_by"], unique=False)
    op.create_index(
        "uq_payment_queries_open",
        "payment_queries",
        ["line"],
        unique=True,
        postgresql_where=sa.text("state IN ('open', 'proposed')"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_payment_queries_open",
        table_name="payment_queries",
        postgresql_where=sa.text("state IN ('open', 'proposed')"),
    )
    op.drop_index("ix_payment_queries_state", table_name="payment_queries")
    op.drop_index("ix_payment_queries_payee", table_name="payment_queries")
    op.drop_index("ix_payment_queries_network", table_name="payment_queries")
    op.drop_table("payment_queries")
    op.drop_table("query_clocks")
