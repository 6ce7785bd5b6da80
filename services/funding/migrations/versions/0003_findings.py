"""What is unusual about a run, thresholds for it, and control totals that lines cannot exceed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

# A run's lines come in one statement, after its totals. Whatever comes later cannot be more lines of a stream than were
# shown, nor another amount: taken back and put again is the same, one more is refused. ALWAYS, so that a session that
# replicates is bound as well.
_TOTALS = """
CREATE FUNCTION refuse_lines_beyond_totals() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    beyond record;
BEGIN
    SELECT found.run, found.stream INTO beyond FROM (
        SELECT l.run, l.stream, count(*) AS lines, sum(l.amount) AS amount
        FROM payment_lines AS l
        WHERE l.amount IS NOT NULL AND l.run IN (SELECT DISTINCT run FROM touched)
        GROUP BY l.run, l.stream
    ) AS found JOIN payment_runs AS r ON r.id = found.run
    WHERE r.totals -> found.stream IS NULL
       OR found.lines > (r.totals -> found.stream ->> 'lines')::bigint
       OR (found.lines = (r.totals -> found.stream ->> 'lines')::bigint
           AND found.amount <> (r.totals -> found.stream ->> 'amount')::numeric)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'lines of % go beyond the control totals of payment run %', beyond.stream, beyond.run
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_lines_within_totals AFTER INSERT ON payment_lines
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION refuse_lines_beyond_totals();
CREATE TRIGGER payment_lines_not_emptied BEFORE TRUNCATE ON payment_lines
    FOR EACH STATEMENT EXECUTE FUNCTION pcn_refuse_change();
CREATE TRIGGER payment_runs_not_emptied BEFORE TRUNCATE ON payment_runs
    FOR EACH STATEMENT EXECUTE FUNCTION pcn_refuse_change();
ALTER TABLE payment_lines ENABLE ALWAYS TRIGGER payment_lines_within_totals;
ALTER TABLE payment_lines ENABLE ALWAYS TRIGGER payment_lines_added;
ALTER TABLE payment_lines ENABLE ALWAYS TRIGGER payment_lines_taken_back;
ALTER TABLE payment_lines ENABLE ALWAYS TRIGGER payment_lines_append_only;
ALTER TABLE payment_lines ENABLE ALWAYS TRIGGER payment_lines_not_emptied;
ALTER TABLE payment_runs ENABLE ALWAYS TRIGGER payment_runs_not_emptied;
CREATE OR REPLACE FUNCTION refuse_other_payment_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status IN ('issued', 'abandoned') OR
       (OLD.month, OLD.total, OLD.lines, OLD.totals, OLD.held, OLD.findings, OLD.known_at, OLD.calculated_by)
       IS DISTINCT FROM
       (NEW.month, NEW.total, NEW.lines, NEW.totals, NEW.held, NEW.findings, NEW.known_at, NEW.calculated_by) THEN
        RAISE EXCEPTION 'payment run % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
ALTER TABLE payment_runs ENABLE ALWAYS TRIGGER payment_runs_kept;
CREATE FUNCTION refuse_other_findings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.reason IS NOT NULL OR
       (OLD.run, OLD.kind, OLD.subject, OLD.paid_before, OLD.amount)
       IS DISTINCT FROM (NEW.run, NEW.kind, NEW.subject, NEW.paid_before, NEW.amount) THEN
        RAISE EXCEPTION 'finding % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER run_findings_kept BEFORE UPDATE OR DELETE ON run_findings
    FOR EACH ROW EXECUTE FUNCTION refuse_other_findings();
"""

_BEFORE = """
DROP TRIGGER payment_lines_within_totals ON payment_lines;
DROP TRIGGER payment_lines_not_emptied ON payment_lines;
DROP TRIGGER payment_runs_not_emptied ON payment_runs;
DROP FUNCTION refuse_lines_beyond_totals();
CREATE OR REPLACE FUNCTION refuse_other_payment_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status IN ('issued', 'abandoned') OR
       (OLD.month, OLD.total, OLD.lines, OLD.totals, OLD.held, OLD.known_at, OLD.calculated_by) IS DISTINCT FROM
       (NEW.month, NEW.total, NEW.lines, NEW.totals, NEW.held, NEW.known_at, NEW.calculated_by) THEN
        RAISE EXCEPTION 'payment run % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.add_column(
        "payment_runs",
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default="{}"),
    )
    op.alter_column("payment_runs", "findings", server_default=None)
    op.create_table(
        "run_findings",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("stream-variance", "payee-variance", name="findingkind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("paid_before", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("threshold_percent", sa.Numeric(), nullable=False),
        sa.Column("threshold_amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["payment_runs.id"], name=op.f("fk_run_findings_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_findings")),
    )
    op.create_index(op.f("ix_run_findings_run"), "run_findings", ["run"], unique=False)
    op.create_table(
        "variance_thresholds",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("stream-variance", "payee-variance", name="findingkind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("percent", sa.Numeric(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        sa.CheckConstraint("percent >= 0 AND amount >= 0", name=op.f("ck_variance_thresholds_not_negative")),
        postgresql.ExcludeConstraint(
            (sa.column("kind"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_variance_thresholds_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_variance_thresholds")),
    )
    op.execute(_TOTALS)


def downgrade() -> None:
    op.execute(_BEFORE)
    op.drop_table("variance_thresholds")
    op.drop_table("run_findings")
    op.execute("DROP FUNCTION refuse_other_findings()")
    op.drop_column("payment_runs", "findings")
