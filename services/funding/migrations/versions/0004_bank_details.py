"""Where money is sent: bank details by two people, sealed, never taken back; and two people at every run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

# What was decided stays, and so do the numbers: only the key they are sealed with may be another.
_KEPT = """
CREATE FUNCTION refuse_other_bank_details() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR
       (OLD.payee, OLD.account_name, OLD.sort_code, OLD.account_number, OLD.valid_from, OLD.entered_by)
       IS DISTINCT FROM
       (NEW.payee, NEW.account_name, NEW.sort_code, NEW.account_number, NEW.valid_from, NEW.entered_by) OR
       (OLD.sealed <> NEW.sealed AND OLD.sealed_with = NEW.sealed_with) OR
       (OLD.status <> 'proposed' AND (OLD.status, OLD.decided_by) IS DISTINCT FROM (NEW.status, NEW.decided_by)) THEN
        RAISE EXCEPTION 'bank details % stay as they are', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bank_details_kept BEFORE UPDATE OR DELETE ON bank_details
    FOR EACH ROW EXECUTE FUNCTION refuse_other_bank_details();
"""


def upgrade() -> None:
    op.create_table(
        "bank_details",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column(
            "status",
            sa.Enum("proposed", "approved", "refused", name="detailsstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("sealed_with", sa.String(length=16), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("sort_code", sa.String(length=8), nullable=False),
        sa.Column("account_number", sa.String(length=8), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("status <> 'approved' OR decided_by <> entered_by", name=op.f("ck_bank_details_two_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_details")),
    )
    op.create_index("ix_bank_details_payee", "bank_details", ["payee"], unique=False)
    op.create_index(
        "uq_bank_details_proposed",
        "bank_details",
        ["payee"],
        unique=True,
        postgresql_where=sa.text("status = 'proposed'"),
    )
    op.create_table(
        "payee_accounts",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("details", sa.String(length=64), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("payee"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_payee_accounts_overlap",
        ),
        sa.ForeignKeyConstraint(["details"], ["bank_details.id"], name=op.f("fk_payee_accounts_details")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_payee_accounts")),
    )
    op.create_check_constraint("two_people", "payment_runs", "approved_by <> calculated_by")
    op.execute(_KEPT)


def downgrade() -> None:
    op.drop_constraint("two_people", "payment_runs", type_="check")
    op.drop_table("payee_accounts")
    op.drop_index(
        "uq_bank_details_proposed", table_name="bank_details", postgresql_where=sa.text("status = 'proposed'")
    )
    op.drop_index("ix_bank_details_payee", table_name="bank_details")
    op.drop_table("bank_details")
    op.execute("DROP FUNCTION refuse_other_bank_details()")
