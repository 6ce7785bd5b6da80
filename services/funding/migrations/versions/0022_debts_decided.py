"""Debts written off or recovered by two people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_INSTRUCTIONS = """
CREATE OR REPLACE FUNCTION refuse_other_instructions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR
       (OLD.run, OLD.number, OLD.payee, OLD.of_run, OLD.brought_forward, OLD.amount, OLD.parts) IS DISTINCT FROM
       (NEW.run, NEW.number, NEW.payee, NEW.of_run, NEW.brought_forward, NEW.amount, NEW.parts) OR
       (OLD.file IS NOT NULL AND (OLD.file, OLD.details) IS DISTINCT FROM (NEW.file, NEW.details)) OR
       (OLD.taken_into IS NOT NULL AND OLD.taken_into IS DISTINCT FROM NEW.taken_into) OR
       (OLD.debt IS NOT NULL AND (OLD.debt, OLD.settled_on, OLD.settled_by) IS DISTINCT FROM
                                 (NEW.debt, NEW.settled_on, NEW.settled_by)) OR
       (OLD.state IN ('carried', 'nil', 'returned') AND OLD.state <> NEW.state) OR
       (OLD.state = 'confirmed' AND NEW.state NOT IN ('confirmed', 'returned')) THEN
        RAISE EXCEPTION 'payment instruction % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
_BEFORE = _INSTRUCTIONS.replace(
    """       (OLD.debt IS NOT NULL AND (OLD.debt, OLD.settled_on, OLD.settled_by) IS DISTINCT FROM
                                 (NEW.debt, NEW.settled_on, NEW.settled_by)) OR
""",
    "",
)
_KEPT = """
CREATE FUNCTION refuse_other_debt_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status <> 'proposed' OR
       (OLD.instruction, OLD.payee, OLD.month, OLD.amount, OLD.outcome, OLD.settled_on, OLD.reference, OLD.reason,
        OLD.proposed_by) IS DISTINCT FROM
       (NEW.instruction, NEW.payee, NEW.month, NEW.amount, NEW.outcome, NEW.settled_on, NEW.reference, NEW.reason,
        NEW.proposed_by) THEN
        RAISE EXCEPTION 'decision % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER debt_decisions_kept BEFORE UPDATE OR DELETE ON debt_decisions
    FOR EACH ROW EXECUTE FUNCTION refuse_other_debt_decisions();
"""


def upgrade() -> None:
    op.add_column(
        "payment_instructions",
        sa.Column(
            "debt",
            sa.Enum("written-off", "recovered", name="debtoutcome", native_enum=False, length=32),
            nullable=True,
        ),
    )
    op.create_check_constraint(
        op.f("ck_payment_instructions_debt"),
        "payment_instructions",
        "debt IS NULL OR (state = 'carried' AND taken_into IS NULL)",
    )
    op.execute(_INSTRUCTIONS)
    op.create_table(
        "debt_decisions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("instruction", sa.String(length=80), nullable=False),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum("written-off", "recovered", name="debtoutcome", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("settled_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("proposed", "approved", "refused", name="debtstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_debt_decisions_owed")),
        sa.CheckConstraint(
            "status <> 'approved' OR decided_by <> proposed_by", name=op.f("ck_debt_decisions_two_people")
        ),
        sa.ForeignKeyConstraint(
            ["instruction"], ["payment_instructions.id"], name=op.f("fk_debt_decisions_instruction")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_debt_decisions")),
    )
    op.create_index("ix_debt_decisions_payee", "debt_decisions", ["payee"])
    op.create_index(
        "uq_debt_decisions_instruction",
        "debt_decisions",
        ["instruction"],
        unique=True,
        postgresql_where=sa.text("status <> 'refused'"),
    )
    op.execute(_KEPT)


def downgrade() -> None:
    op.execute(_BEFORE)
    op.drop_table("debt_decisions")
    op.execute("DROP FUNCTION refuse_other_debt_decisions()")
    op.drop_constraint(op.f("ck_payment_instructions_debt"), "payment_instructions", type_="check")
    op.drop_column("payment_instructions", "debt")
