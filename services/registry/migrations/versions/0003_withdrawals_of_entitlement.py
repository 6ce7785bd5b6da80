"""withdrawals of entitlement"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=True),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("notified_on", sa.Date(), nullable=False),
        sa.Column("withdrawn_from", sa.Date(), nullable=False),
        sa.Column("appeal_by", sa.Date(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("appealed_on", sa.Date(), nullable=True),
        sa.Column("appeal_reason", sa.Text(), nullable=True),
        sa.Column("appeal_evidence", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("appealed_by", sa.Text(), nullable=True),
        sa.Column("appealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum("upheld", "dismissed", "withdrawn", name="appealoutcome", native_enum=False, length=32),
            nullable=True,
        ),
        sa.Column("outcome_on", sa.Date(), nullable=True),
        sa.Column("outcome_reason", sa.Text(), nullable=True),
        sa.Column("outcome_by", sa.Text(), nullable=True),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restored_from", sa.Date(), nullable=True),
        sa.Column("restored_reason", sa.Text(), nullable=True),
        sa.Column("restored_by", sa.Text(), nullable=True),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "notified_on <= withdrawn_from and notified_on <= appeal_by", name=op.f("ck_withdrawals_days_in_order")
        ),
        sa.CheckConstraint(
            "restored_from is null or restored_from >= withdrawn_from", name=op.f("ck_withdrawals_restored_after")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawals")),
    )
    op.create_index(op.f("ix_withdrawals_commissioner"), "withdrawals", ["commissioner"], unique=False)
    op.create_index(op.f("ix_withdrawals_network"), "withdrawals", ["network"], unique=False)
    op.create_table(
        "lapses",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("whose", sa.String(length=32), nullable=False),
        sa.Column("withdrawal", sa.String(length=32), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("whose"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_lapses_overlap",
        ),
        sa.ForeignKeyConstraint(["withdrawal"], ["withdrawals.id"], name=op.f("fk_lapses_withdrawal")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_lapses")),
    )
    op.create_index(op.f("ix_lapses_withdrawal"), "lapses", ["withdrawal"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_lapses_withdrawal"), table_name="lapses")
    op.drop_table("lapses")
    op.drop_index(op.f("ix_withdrawals_network"), table_name="withdrawals")
    op.drop_index(op.f("ix_withdrawals_commissioner"), table_name="withdrawals")
    op.drop_table("withdrawals")
