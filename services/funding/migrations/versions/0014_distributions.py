"""The onward split: rules networks agree, and payments divided by them, which add up and stay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"

_ADDS_UP = """
CREATE FUNCTION refuse_parts_that_do_not_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    parts numeric;
    asked text;
BEGIN
    asked = to_jsonb(NEW) ->> TG_ARGV[0];
    SELECT coalesce(sum(amount), 0) INTO parts FROM distribution_parts WHERE distribution = asked;
    PERFORM 1 FROM distributions WHERE id = asked AND shared = parts + retained;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the parts of % do not add up', asked USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER distributions_add_up AFTER INSERT ON distributions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION refuse_parts_that_do_not_add_up('id');
CREATE CONSTRAINT TRIGGER distribution_parts_add_up AFTER INSERT ON distribution_parts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION refuse_parts_that_do_not_add_up('distribution');
CREATE TRIGGER distributions_append_only BEFORE UPDATE OR DELETE ON distributions
    FOR EACH ROW EXECUTE FUNCTION pcn_refuse_change();
CREATE TRIGGER distribution_parts_append_only BEFORE UPDATE OR DELETE ON distribution_parts
    FOR EACH ROW EXECUTE FUNCTION pcn_refuse_change();
"""


def upgrade() -> None:
    op.create_table(
        "distribution_rules",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column(
            "method",
            sa.Enum(
                "equal",
                "registered",
                "weighted",
                "fixed",
                "custom",
                "points",
                name="method",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("costs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("agreed_on", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_distribution_rules_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_distribution_rules")),
    )
    op.create_index("ix_distribution_rules_network", "distribution_rules", ["network"], unique=False)
    op.create_table(
        "distributions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("payee", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("payment", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column(
            "method",
            sa.Enum(
                "equal",
                "registered",
                "weighted",
                "fixed",
                "custom",
                "points",
                name="method",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("rule", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.Date(), nullable=True),
        sa.Column("costs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("costs_taken", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("shared", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("retained", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("payment = costs_taken + shared", name=op.f("ck_distributions_adds_up")),
        sa.ForeignKeyConstraint(["rule"], ["distribution_rules.fact_id"], name=op.f("fk_distributions_rule")),
        sa.ForeignKeyConstraint(["run"], ["payment_runs.id"], name=op.f("fk_distributions_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_distributions")),
        sa.UniqueConstraint("run", "network", "payee", name=op.f("uq_distributions_run_network_payee")),
    )
    op.create_index("ix_distributions_network", "distributions", ["network", "month"], unique=False)
    op.create_table(
        "distribution_parts",
        sa.Column("distribution", sa.String(length=64), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("weight", sa.Numeric(), nullable=False),
        sa.Column("whole", sa.Numeric(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.ForeignKeyConstraint(
            ["distribution"], ["distributions.id"], name=op.f("fk_distribution_parts_distribution")
        ),
        sa.PrimaryKeyConstraint("distribution", "practice", name=op.f("pk_distribution_parts")),
    )
    op.create_index("ix_distribution_parts_practice", "distribution_parts", ["practice"], unique=False)
    op.execute(_ADDS_UP)


def downgrade() -> None:
    op.drop_index("ix_distribution_parts_practice", table_name="distribution_parts")
    op.drop_table("distribution_parts")
    op.drop_index("ix_distributions_network", table_name="distributions")
    op.drop_table("distributions")
    op.drop_index("ix_distribution_rules_network", table_name="distribution_rules")
    op.drop_table("distribution_rules")
    op.execute("DROP FUNCTION refuse_parts_that_do_not_add_up()")
