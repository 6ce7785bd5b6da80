"""Payment files, their rows and their comparisons, which are added to and never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "checks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("through", sa.String(length=7), nullable=False),
        sa.Column("kind", sa.Enum("published", "payee", name="filekind", native_enum=False, length=32), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("organisations", postgresql.ARRAY(sa.String(length=32)), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("refused", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("refused_rows", sa.Integer(), nullable=False),
        sa.Column(
            "status", sa.Enum("received", "compared", name="checkstatus", native_enum=False, length=32), nullable=False
        ),
        sa.Column("received_by", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("comparison", sa.Integer(), nullable=False),
        sa.Column("compared_by", sa.Text(), nullable=True),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("habits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rests_on", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
        sa.UniqueConstraint(
            "owner", "sha256", "contract_year", "through", name=op.f("uq_checks_owner_sha256_contract_year_through")
        ),
    )
    op.create_table(
        "check_lines",
        sa.Column("id", sa.String(length=96), nullable=False),
        sa.Column("check", sa.String(length=64), nullable=False),
        sa.Column("comparison", sa.Integer(), nullable=False),
        sa.Column("payment", sa.String(length=64), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=True),
        sa.Column("network", sa.String(length=32), nullable=True),
        sa.Column("commissioner", sa.String(length=32), nullable=True),
        sa.Column("paid", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("due", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column(
            "difference",
            sa.Enum(
                "agrees",
                "list-moved",
                "arrears",
                "fewer-months",
                "more-months",
                "other-months",
                "joined",
                "left",
                "fewer-streams",
                "other-rate",
                "double",
                "negative",
                "missing",
                "paid-elsewhere",
                "not-a-member",
                "allocated",
                "closed",
                "no-list",
                "held",
                "unexplained",
                name="difference",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "evidence",
            sa.Enum(
                "to-the-penny",
                "between-lists",
                "equal-payments",
                "within-movement",
                "between-payments",
                "two-lists",
                "dates",
                "none",
                name="evidence",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("months", sa.Integer(), nullable=True),
        sa.Column("said", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["check"], ["checks.id"], name=op.f("fk_check_lines_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_lines")),
    )
    op.create_index(
        "ix_check_lines_comparison", "check_lines", ["check", "comparison", "payment", "difference"], unique=False
    )
    op.create_table(
        "check_rows",
        sa.Column("check", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=True),
        sa.Column("network", sa.String(length=32), nullable=True),
        sa.Column("commissioner", sa.String(length=32), nullable=True),
        sa.Column("registered", sa.Numeric(), nullable=True),
        sa.Column("weighted", sa.Numeric(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("paid", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["check"], ["checks.id"], name=op.f("fk_check_rows_check")),
        sa.PrimaryKeyConstraint("check", "line", name=op.f("pk_check_rows")),
    )
    op.create_index("ix_check_rows_practice", "check_rows", ["practice"], unique=False)
    for table in ("check_rows", "check_lines"):
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION pcn_refuse_change()"
        )


def downgrade() -> None:
    op.drop_index("ix_check_rows_practice", table_name="check_rows")
    op.drop_table("check_rows")
    op.drop_index("ix_check_lines_comparison", table_name="check_lines")
    op.drop_table("check_lines")
    op.drop_table("checks")
