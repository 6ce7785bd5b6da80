"""Whatever a line pays besides heads and beds has a reference, and no reference leaves twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_LEAVING = """
CREATE FUNCTION enter_paid_references() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO paid_references (reference, run, line)
    SELECT reference, run, id FROM payment_lines
    WHERE run = NEW.id AND reference IS NOT NULL AND amount IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_runs_references AFTER UPDATE OF status ON payment_runs
    FOR EACH ROW WHEN (NEW.status = 'issued' AND OLD.status <> 'issued') EXECUTE FUNCTION enter_paid_references();
CREATE TRIGGER paid_references_append_only BEFORE UPDATE OR DELETE ON paid_references
    FOR EACH ROW EXECUTE FUNCTION pcn_refuse_change();
"""


def upgrade() -> None:
    op.alter_column("payment_lines", "claim", new_column_name="reference", type_=sa.String(length=96))
    op.execute("ALTER TABLE payment_lines DISABLE TRIGGER payment_lines_append_only")
    op.execute("UPDATE payment_lines SET reference = 'claims/' || reference WHERE reference IS NOT NULL")
    op.execute("ALTER TABLE payment_lines ENABLE TRIGGER payment_lines_append_only")
    op.create_index(
        "ix_payment_lines_reference",
        "payment_lines",
        ["reference"],
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_table(
        "paid_references",
        sa.Column("reference", sa.String(length=96), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("line", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["payment_runs.id"], name=op.f("fk_paid_references_run")),
        sa.ForeignKeyConstraint(["line"], ["payment_lines.id"], name=op.f("fk_paid_references_line")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_paid_references")),
    )
    op.execute(
        "INSERT INTO paid_references SELECT l.reference, l.run, l.id FROM payment_lines AS l "
        "JOIN payment_runs AS r ON r.id = l.run AND r.status = 'issued' "
        "WHERE l.reference IS NOT NULL AND l.amount IS NOT NULL"
    )
    op.execute(_LEAVING)


def downgrade() -> None:
    op.execute("DROP TRIGGER payment_runs_references ON payment_runs")
    op.drop_table("paid_references")
    op.execute("DROP FUNCTION enter_paid_references()")
    op.drop_index("ix_payment_lines_reference", table_name="payment_lines")
    op.execute("ALTER TABLE payment_lines DISABLE TRIGGER payment_lines_append_only")
    op.execute("UPDATE payment_lines SET reference = substr(reference, 8) WHERE reference IS NOT NULL")
    op.execute("ALTER TABLE payment_lines ENABLE TRIGGER payment_lines_append_only")
    op.alter_column("payment_lines", "reference", new_column_name="claim", type_=sa.String(length=64))
