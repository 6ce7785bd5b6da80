"""Indicators, achievements with their amounts, and national overrides."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "achievement_overrides",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("indicator", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("proposed", "in-effect", name="overridestatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("networks", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_achievement_overrides")),
        sa.UniqueConstraint(
            "contract_year", "indicator", name=op.f("uq_achievement_overrides_contract_year_indicator")
        ),
    )
    op.create_table(
        "achievements",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("indicator", sa.String(length=16), nullable=False),
        sa.Column("numerator", sa.Integer(), nullable=True),
        sa.Column("denominator", sa.Integer(), nullable=True),
        sa.Column("adjustments", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Boolean(), nullable=True),
        sa.Column("earned", sa.Numeric(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "declared", "returned", "approved", "deemed", name="achievementstatus", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column("declared_by", sa.Text(), nullable=True),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("points", sa.Numeric(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("holds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "numerator >= 0 AND denominator >= 0 AND adjustments >= 0", name=op.f("ck_achievements_not_negative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_achievements")),
        sa.UniqueConstraint(
            "network", "contract_year", "indicator", name=op.f("uq_achievements_network_contract_year_indicator")
        ),
    )
    op.create_index("ix_achievements_contract_year", "achievements", ["contract_year", "indicator"], unique=False)
    op.create_table(
        "indicators",
        sa.Column("id", sa.String(length=96), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("ratio", "yes_no", "part", name="indicatorkind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("stream", sa.String(length=64), nullable=False),
        sa.Column("points", sa.Numeric(), nullable=True),
        sa.Column("point_value", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("lower", sa.Numeric(), nullable=True),
        sa.Column("upper", sa.Numeric(), nullable=True),
        sa.Column("by_prevalence", sa.Boolean(), nullable=False),
        sa.Column("prevalence", sa.Numeric(), nullable=True),
        sa.Column("average_list", sa.Numeric(), nullable=True),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.Column("parts", sa.Integer(), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("known_from", sa.Date(), nullable=False),
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
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_indicators_days_in_order")),
        sa.CheckConstraint("part > 0 AND part <= parts", name=op.f("ck_indicators_part")),
        sa.CheckConstraint("points >= 0 AND point_value >= 0", name=op.f("ck_indicators_not_negative")),
        sa.CheckConstraint("prevalence > 0 AND average_list > 0", name=op.f("ck_indicators_divisors")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indicators")),
    )
    op.create_index("ix_indicators_contract_year", "indicators", ["contract_year", "code"], unique=False)
    op.create_table(
        "achievement_amounts",
        sa.Column("id", sa.String(length=72), nullable=False),
        sa.Column("achievement", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("stream", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("trace", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["achievement"], ["achievements.id"], name=op.f("fk_achievement_amounts_achievement")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_achievement_amounts")),
        sa.UniqueConstraint("achievement", "number", name=op.f("uq_achievement_amounts_achievement_number")),
    )
    op.create_index(
        "ix_achievement_amounts_unpaid",
        "achievement_amounts",
        ["month"],
        unique=False,
        postgresql_where=sa.text("run IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_achievement_amounts_unpaid", table_name="achievement_amounts", postgresql_where=sa.text("run IS NULL")
    )
    op.drop_table("achievement_amounts")
    op.drop_index("ix_indicators_contract_year", table_name="indicators")
    op.drop_table("indicators")
    op.drop_index("ix_achievements_contract_year", table_name="achievements")
    op.drop_table("achievements")
    op.drop_table("achievement_overrides")
