"""Funding: rates, copies of networks and populations, accounts, budgets, claims, payment runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.migrations import create_plumbing, drop_plumbing

revision = "0001"
down_revision = None

# Lines may be written and taken back only while their run is being calculated: once it is approved, issued or given up
# they stay as they are. Statement triggers with transition tables, so that thousands of lines cost one check.
_CLOSED_RUNS = """
CREATE FUNCTION refuse_lines_of_closed_runs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed text;
BEGIN
    SELECT r.id INTO closed FROM payment_runs AS r
    WHERE r.status <> 'calculated' AND r.id IN (SELECT DISTINCT run FROM touched) LIMIT 1;
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'the lines of payment run % are closed', closed USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_lines_added AFTER INSERT ON payment_lines
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION refuse_lines_of_closed_runs();
CREATE TRIGGER payment_lines_taken_back AFTER DELETE ON payment_lines
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION refuse_lines_of_closed_runs();
CREATE TRIGGER payment_lines_append_only BEFORE UPDATE ON payment_lines
    FOR EACH ROW EXECUTE FUNCTION pcn_refuse_change();
CREATE FUNCTION refuse_other_payment_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status IN ('issued', 'abandoned') OR
       (OLD.month, OLD.total, OLD.lines, OLD.totals, OLD.held, OLD.known_at, OLD.calculated_by) IS DISTINCT FROM
       (NEW.month, NEW.total, NEW.lines, NEW.totals, NEW.held, NEW.known_at, NEW.calculated_by) THEN
        RAISE EXCEPTION 'payment run % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_runs_kept BEFORE UPDATE OR DELETE ON payment_runs
    FOR EACH ROW EXECUTE FUNCTION refuse_other_payment_runs();
CREATE FUNCTION refuse_edited_tariffs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a rate is never edited, publish one that supersedes it' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER tariffs_append_only BEFORE UPDATE OR DELETE ON tariffs
    FOR EACH ROW EXECUTE FUNCTION refuse_edited_tariffs();
"""


def upgrade() -> None:
    create_plumbing(op)
    op.create_table(
        "accounts",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("network", name=op.f("pk_accounts")),
    )
    op.create_table(
        "allocations",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_allocations_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_allocations")),
    )
    op.create_index("ix_allocations_network", "allocations", ["network"], unique=False)
    op.create_table(
        "budgets",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("held_code", sa.String(), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("trace", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("network", "contract_year", "scope", name=op.f("pk_budgets")),
    )
    op.create_table(
        "claims",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("post", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("zone", sa.String(length=32), nullable=False),
        sa.Column("wte", sa.Numeric(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("worked_from", sa.Date(), nullable=False),
        sa.Column("worked_to", sa.Date(), nullable=False),
        sa.Column("salary", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("employer_ni", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("employer_pension", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("supplier_fee", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("additional", sa.Boolean(), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("submitted", "approved", "rejected", "paid", name="claimstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("payable", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("limited_by", sa.String(length=32), nullable=True),
        sa.Column("checked", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("run", sa.String(length=64), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("payable IS NULL OR payable >= 0", name=op.f("ck_claims_payable")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
    )
    op.create_index("ix_claims_network_contract_year", "claims", ["network", "contract_year"], unique=False)
    op.create_index("ix_claims_status", "claims", ["status"], unique=False)
    op.create_table(
        "commissioners",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("system_name", sa.Text(), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("region_name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_commissioners")),
    )
    op.create_table(
        "memberships",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("share", sa.Numeric(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_memberships_overlap",
        ),
        sa.CheckConstraint("share > 0 AND share <= 1", name=op.f("ck_memberships_share")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_memberships")),
    )
    op.create_index("ix_memberships_practice", "memberships", ["practice"], unique=False)
    op.create_table(
        "networks",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("approved_on", sa.Date(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("closing_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_networks")),
    )
    op.create_index("ix_networks_commissioner", "networks", ["commissioner"], unique=False)
    op.create_table(
        "payees",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_payees_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_payees")),
    )
    op.create_table(
        "payment_runs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column(
            "status",
            sa.Enum("calculated", "approved", "issued", "abandoned", name="runstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("totals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("held", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("notes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("calculated_by", sa.Text(), nullable=False),
        sa.Column("calculated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_by", sa.Text(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("abandoned_by", sa.Text(), nullable=True),
        sa.Column("abandoned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_runs")),
    )
    op.create_index(
        "uq_payment_runs_month",
        "payment_runs",
        ["month"],
        unique=True,
        postgresql_where=sa.text("status <> 'abandoned'"),
    )
    op.create_index(
        "uq_payment_runs_waiting",
        "payment_runs",
        [sa.literal_column("(true)")],
        unique=True,
        postgresql_where=sa.text("status IN ('calculated', 'approved')"),
    )
    op.create_table(
        "populations",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column(
            "basis",
            sa.Enum("registered", "weighted", "adjusted", "beds", "wte", name="basis", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("snapshot", sa.Date(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=True),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column(
            "confidence",
            sa.Enum(
                "confirmed_2", "one_source", "derived", "remembered", name="confidence", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("basis"), "="),
            (sa.column("snapshot"), "="),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_populations_overlap",
        ),
        sa.CheckConstraint("value >= 0", name=op.f("ck_populations_not_negative")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_populations")),
    )
    op.create_index("ix_populations_snapshot_basis", "populations", ["snapshot", "basis"], unique=False)
    op.create_index(
        "uq_populations_current",
        "populations",
        ["practice", "basis", "snapshot"],
        unique=True,
        postgresql_where=sa.text("upper_inf(known)"),
    )
    op.create_table(
        "practices",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_practices")),
    )
    op.create_table(
        "tariffs",
        sa.Column("id", sa.String(length=96), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("stream", "arrs_sum", "role_maximum", name="tariffkind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("zone", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("payee", sa.Enum("network", "practice", name="payee", native_enum=False, length=32), nullable=False),
        sa.Column(
            "basis",
            sa.Enum("registered", "weighted", "adjusted", "beds", "wte", name="basis", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("value", sa.Numeric(), nullable=True),
        sa.Column(
            "rate_period",
            sa.Enum("year", "window", "month", name="rateperiod", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("known_from", sa.Date(), nullable=True),
        sa.Column("supersedes", sa.String(length=96), nullable=True),
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
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_tariffs_days_in_order")),
        sa.CheckConstraint("value >= 0", name=op.f("ck_tariffs_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tariffs")),
    )
    op.create_index("ix_tariffs_kind_code_zone", "tariffs", ["kind", "code", "zone"], unique=False)
    op.create_table(
        "payment_lines",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=True),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("stream", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("held_code", sa.String(length=32), nullable=True),
        sa.Column("claim", sa.String(length=64), nullable=True),
        sa.Column("trace", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["payment_runs.id"], name=op.f("fk_payment_lines_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_lines")),
    )
    op.create_index(
        "ix_payment_lines_contract_year",
        "payment_lines",
        ["contract_year", "network", "practice", "stream"],
        unique=False,
    )
    op.create_index("ix_payment_lines_practice", "payment_lines", ["practice"], unique=False)
    op.create_index("ix_payment_lines_run_network", "payment_lines", ["run", "network"], unique=False)
    op.execute(_CLOSED_RUNS)


def downgrade() -> None:
    for table in (
        "payment_lines",
        "payment_runs",
        "claims",
        "budgets",
        "payees",
        "accounts",
        "populations",
        "allocations",
        "memberships",
        "networks",
        "practices",
        "commissioners",
        "tariffs",
    ):
        op.drop_table(table)
    for function in ("refuse_lines_of_closed_runs", "refuse_other_payment_runs", "refuse_edited_tariffs"):
        op.execute(f"DROP FUNCTION {function}()")
    drop_plumbing(op)
