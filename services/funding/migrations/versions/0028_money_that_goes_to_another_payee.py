"""Money that came back or is held goes to another payee, decided by two people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

_INSTRUCTIONS = """
CREATE OR REPLACE FUNCTION refuse_other_instructions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR
       (OLD.run, OLD.number, OLD.payee, OLD.of_run, OLD.brought_forward, OLD.amount, OLD.parts) IS DISTINCT FROM
       (NEW.run, NEW.number, NEW.payee, NEW.of_run, NEW.brought_forward, NEW.amount, NEW.parts) OR
       (OLD.file IS NOT NULL AND (OLD.file, OLD.details) IS DISTINCT FROM (NEW.file, NEW.details)) OR
       (OLD.taken_into IS NOT NULL AND (OLD.taken_into, OLD.redirected) IS DISTINCT FROM
                                       (NEW.taken_into, NEW.redirected)) OR
       (OLD.debt IS NOT NULL AND (OLD.debt, OLD.settled_on, OLD.settled_by) IS DISTINCT FROM
                                 (NEW.debt, NEW.settled_on, NEW.settled_by)) OR
       NEW.redirected < OLD.redirected OR
       (OLD.state IN ('carried', 'nil', 'returned', 'redirected') AND OLD.state <> NEW.state) OR
       (NEW.state = 'redirected' AND OLD.state NOT IN ('held', 'redirected')) OR
       (OLD.state = 'confirmed' AND NEW.state NOT IN ('confirmed', 'returned')) THEN
        RAISE EXCEPTION 'payment instruction % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
_BEFORE = (
    _INSTRUCTIONS.replace(
        """(OLD.taken_into, OLD.redirected) IS DISTINCT FROM
                                       (NEW.taken_into, NEW.redirected)) OR""",
        "OLD.taken_into IS DISTINCT FROM NEW.taken_into) OR",
    )
    .replace("       NEW.redirected < OLD.redirected OR\n", "")
    .replace("'returned', 'redirected') AND OLD", "'returned') AND OLD")
    .replace("       (NEW.state = 'redirected' AND OLD.state NOT IN ('held', 'redirected')) OR\n", "")
)
_KEPT = """
CREATE FUNCTION refuse_other_redirections() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR
       (OLD.instruction, OLD.month, OLD.network, OLD.practice, OLD.payee, OLD.redirected_to, OLD.amount, OLD.reason,
        OLD.proposed_by) IS DISTINCT FROM
       (NEW.instruction, NEW.month, NEW.network, NEW.practice, NEW.payee, NEW.redirected_to, NEW.amount, NEW.reason,
        NEW.proposed_by) OR
       (OLD.status <> 'proposed' AND (OLD.status, OLD.decided_by, OLD.decided_at, OLD.refusal) IS DISTINCT FROM
                                     (NEW.status, NEW.decided_by, NEW.decided_at, NEW.refusal)) OR
       (OLD.taken_into IS NOT NULL AND (OLD.taken_into, OLD.taken_at) IS DISTINCT FROM
                                       (NEW.taken_into, NEW.taken_at)) THEN
        RAISE EXCEPTION 'redirection % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER redirections_kept BEFORE UPDATE OR DELETE ON redirections
    FOR EACH ROW EXECUTE FUNCTION refuse_other_redirections();
CREATE TRIGGER redirected_amounts_append_only BEFORE UPDATE OR DELETE ON redirected_amounts
    FOR EACH ROW EXECUTE FUNCTION pcn_refuse_change();
"""


def upgrade() -> None:
    money = sa.Numeric(precision=14, scale=2)
    for table in ("payment_instructions", "run_confirmations"):
        op.add_column(table, sa.Column("redirected", money, server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(
        op.f("ck_payment_instructions_redirected"),
        "payment_instructions",
        "CASE state WHEN 'redirected' THEN redirected > 0 WHEN 'returned' THEN redirected >= 0"
        " ELSE redirected = 0 END AND (redirected = 0 OR redirected <= amount)",
    )
    op.drop_constraint(op.f("ck_run_confirmations_adds_up"), "run_confirmations", type_="check")
    op.create_check_constraint(
        op.f("ck_run_confirmations_adds_up"),
        "run_confirmations",
        "issued + brought_forward = confirmed + returned + carried + redirected",
    )
    op.execute(_INSTRUCTIONS)
    op.create_table(
        "redirections",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("instruction", sa.String(length=80), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=True),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("redirected_to", sa.String(length=32), nullable=False),
        sa.Column("amount", money, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "proposed", "approved", "refused", "withdrawn", name="redirectionstatus", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("taken_into", sa.String(length=80), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_redirections_amount")),
        sa.CheckConstraint("payee <> redirected_to", name=op.f("ck_redirections_to_another")),
        sa.CheckConstraint(
            "status <> 'approved' OR decided_by <> proposed_by", name=op.f("ck_redirections_two_people")
        ),
        sa.CheckConstraint("taken_into IS NULL OR status = 'approved'", name=op.f("ck_redirections_taken")),
        sa.ForeignKeyConstraint(["instruction"], ["payment_instructions.id"], name=op.f("fk_redirections_instruction")),
        sa.ForeignKeyConstraint(["taken_into"], ["payment_instructions.id"], name=op.f("fk_redirections_taken_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redirections")),
    )
    for column in ("instruction", "payee", "redirected_to"):
        op.create_index(f"ix_redirections_{column}", "redirections", [column])
    op.create_index(
        "ix_redirections_taken_into",
        "redirections",
        ["taken_into"],
        postgresql_where=sa.text("taken_into IS NOT NULL"),
    )
    op.create_index(
        "uq_redirections_proposed",
        "redirections",
        ["instruction", "network", sa.literal_column("coalesce(practice, '')")],
        unique=True,
        postgresql_where=sa.text("status = 'proposed'"),
    )
    op.create_table(
        "redirected_amounts",
        sa.Column("redirection", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("stream", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("reference", sa.String(length=96), nullable=True),
        sa.Column("amount", money, nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_redirected_amounts_amount")),
        sa.ForeignKeyConstraint(["redirection"], ["redirections.id"], name=op.f("fk_redirected_amounts_redirection")),
        sa.PrimaryKeyConstraint("redirection", "number", name=op.f("pk_redirected_amounts")),
    )
    op.execute(_KEPT)


def downgrade() -> None:
    op.execute(_BEFORE)
    op.drop_table("redirected_amounts")
    op.drop_table("redirections")
    op.execute("DROP FUNCTION refuse_other_redirections()")
    op.drop_constraint(op.f("ck_run_confirmations_adds_up"), "run_confirmations", type_="check")
    op.create_check_constraint(
        op.f("ck_run_confirmations_adds_up"),
        "run_confirmations",
        "issued + brought_forward = confirmed + returned + carried",
    )
    op.drop_constraint(op.f("ck_payment_instructions_redirected"), "payment_instructions", type_="check")
    for table in ("payment_instructions", "run_confirmations"):
        op.drop_column(table, "redirected")
