"""An issued run as instructions, payment files and their outcome; bank holidays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"

# What a payee is sent never changes, an instruction leaves in one file and is taken up by one later instruction, and
# neither instructions nor files go. Of a file only the key that seals it may be another.
_KEPT = """
CREATE FUNCTION refuse_other_instructions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR
       (OLD.run, OLD.number, OLD.payee, OLD.of_run, OLD.brought_forward, OLD.amount, OLD.parts) IS DISTINCT FROM
       (NEW.run, NEW.number, NEW.payee, NEW.of_run, NEW.brought_forward, NEW.amount, NEW.parts) OR
       (OLD.file IS NOT NULL AND (OLD.file, OLD.details) IS DISTINCT FROM (NEW.file, NEW.details)) OR
       (OLD.taken_into IS NOT NULL AND OLD.taken_into IS DISTINCT FROM NEW.taken_into) OR
       (OLD.state IN ('carried', 'nil', 'returned') AND OLD.state <> NEW.state) OR
       (OLD.state = 'confirmed' AND NEW.state NOT IN ('confirmed', 'returned')) THEN
        RAISE EXCEPTION 'payment instruction % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_instructions_kept BEFORE UPDATE OR DELETE ON payment_instructions
    FOR EACH ROW EXECUTE FUNCTION refuse_other_instructions();
CREATE FUNCTION refuse_other_payment_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR
       (OLD.run, OLD.number, OLD.processing_day, OLD.instructions, OLD.total, OLD.bacs_sha256, OLD.csv_sha256)
       IS DISTINCT FROM
       (NEW.run, NEW.number, NEW.processing_day, NEW.instructions, NEW.total, NEW.bacs_sha256, NEW.csv_sha256) OR
       ((OLD.sealed_bacs, OLD.sealed_csv) IS DISTINCT FROM (NEW.sealed_bacs, NEW.sealed_csv)
        AND OLD.sealed_with = NEW.sealed_with) THEN
        RAISE EXCEPTION 'payment file % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_files_kept BEFORE UPDATE OR DELETE ON payment_files
    FOR EACH ROW EXECUTE FUNCTION refuse_other_payment_files();
CREATE TRIGGER run_confirmations_append_only BEFORE UPDATE OR DELETE ON run_confirmations
    FOR EACH ROW EXECUTE FUNCTION pcn_refuse_change();
"""


def upgrade() -> None:
    op.create_table(
        "bank_holidays",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_bank_holidays")),
    )
    op.create_table(
        "payment_files",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("processing_day", sa.Date(), nullable=False),
        sa.Column("instructions", sa.Integer(), nullable=False),
        sa.Column("total", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("bacs_sha256", sa.String(length=64), nullable=False),
        sa.Column("csv_sha256", sa.String(length=64), nullable=False),
        sa.Column("sealed_bacs", sa.Text(), nullable=False),
        sa.Column("sealed_csv", sa.Text(), nullable=False),
        sa.Column("sealed_with", sa.String(length=16), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["payment_runs.id"], name=op.f("fk_payment_files_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_files")),
        sa.UniqueConstraint("run", "number", name=op.f("uq_payment_files_run_number")),
    )
    op.create_table(
        "run_confirmations",
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("issued", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("brought_forward", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("confirmed", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("returned", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("carried", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "issued + brought_forward = confirmed + returned + carried", name=op.f("ck_run_confirmations_adds_up")
        ),
        sa.ForeignKeyConstraint(["run"], ["payment_runs.id"], name=op.f("fk_run_confirmations_run")),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_run_confirmations")),
    )
    op.create_table(
        "payment_instructions",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("of_run", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("brought_forward", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "due",
                "held",
                "sent",
                "confirmed",
                "returned",
                "carried",
                "nil",
                name="instructionstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("held_code", sa.String(length=32), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("file", sa.String(length=64), nullable=True),
        sa.Column("details", sa.String(length=64), nullable=True),
        sa.Column("settled_on", sa.Date(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("return_code", sa.String(length=32), nullable=True),
        sa.Column("return_reason", sa.Text(), nullable=True),
        sa.Column("remedy", sa.Text(), nullable=True),
        sa.Column("remedied_by", sa.Text(), nullable=True),
        sa.Column("remedied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_into", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('sent', 'confirmed', 'returned')) = (file IS NOT NULL AND details IS NOT NULL)",
            name=op.f("ck_payment_instructions_in_a_file"),
        ),
        sa.CheckConstraint(
            "CASE state WHEN 'carried' THEN amount < 0 WHEN 'nil' THEN amount = 0 ELSE amount > 0 END",
            name=op.f("ck_payment_instructions_sign"),
        ),
        sa.CheckConstraint("amount = of_run + brought_forward", name=op.f("ck_payment_instructions_adds_up")),
        sa.ForeignKeyConstraint(["details"], ["bank_details.id"], name=op.f("fk_payment_instructions_details")),
        sa.ForeignKeyConstraint(["file"], ["payment_files.id"], name=op.f("fk_payment_instructions_file")),
        sa.ForeignKeyConstraint(["run"], ["payment_runs.id"], name=op.f("fk_payment_instructions_run")),
        sa.ForeignKeyConstraint(
            ["taken_into"], ["payment_instructions.id"], name=op.f("fk_payment_instructions_taken_into")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_instructions")),
        sa.UniqueConstraint("run", "number", name=op.f("uq_payment_instructions_run_number")),
        sa.UniqueConstraint("run", "payee", name=op.f("uq_payment_instructions_run_payee")),
    )
    op.create_index("ix_payment_instructions_file", "payment_instructions", ["file"], unique=False)
    op.create_index("ix_payment_instructions_payee", "payment_instructions", ["payee"], unique=False)
    op.execute(_KEPT)


def downgrade() -> None:
    op.execute("DROP TRIGGER payment_instructions_kept ON payment_instructions")
    op.drop_index("ix_payment_instructions_payee", table_name="payment_instructions")
    op.drop_index("ix_payment_instructions_file", table_name="payment_instructions")
    op.drop_table("payment_instructions")
    op.drop_table("run_confirmations")
    op.drop_table("payment_files")
    op.drop_table("bank_holidays")
    op.execute("DROP FUNCTION refuse_other_instructions()")
    op.execute("DROP FUNCTION refuse_other_payment_files()")
