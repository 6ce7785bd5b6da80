"""Approved achievements put right by two people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"

# What somebody proposed stays as it was proposed, and what was decided stays decided.
_KEPT = """
CREATE FUNCTION refuse_other_corrections() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status <> 'proposed' OR
       (OLD.achievement, OLD.numerator, OLD.denominator, OLD.adjustments, OLD.answer, OLD.earned, OLD.reason,
        OLD.proposed_by) IS DISTINCT FROM
       (NEW.achievement, NEW.numerator, NEW.denominator, NEW.adjustments, NEW.answer, NEW.earned, NEW.reason,
        NEW.proposed_by) THEN
        RAISE EXCEPTION 'correction % stays as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER achievement_corrections_kept BEFORE UPDATE OR DELETE ON achievement_corrections
    FOR EACH ROW EXECUTE FUNCTION refuse_other_corrections();
"""


def upgrade() -> None:
    op.create_table(
        "achievement_corrections",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("achievement", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("numerator", sa.Integer(), nullable=True),
        sa.Column("denominator", sa.Integer(), nullable=True),
        sa.Column("adjustments", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Boolean(), nullable=True),
        sa.Column("earned", sa.Numeric(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("proposed", "approved", "refused", name="correctionstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("difference", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "numerator >= 0 AND denominator >= 0 AND adjustments >= 0",
            name=op.f("ck_achievement_corrections_not_negative"),
        ),
        sa.CheckConstraint(
            "status <> 'approved' OR decided_by <> proposed_by", name=op.f("ck_achievement_corrections_two_people")
        ),
        sa.ForeignKeyConstraint(
            ["achievement"], ["achievements.id"], name=op.f("fk_achievement_corrections_achievement")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_achievement_corrections")),
    )
    op.create_index("ix_achievement_corrections_achievement", "achievement_corrections", ["achievement"])
    op.create_index(
        "uq_achievement_corrections_proposed",
        "achievement_corrections",
        ["achievement"],
        unique=True,
        postgresql_where=sa.text("status = 'proposed'"),
    )
    op.execute(_KEPT)


def downgrade() -> None:
    op.drop_table("achievement_corrections")
    op.execute("DROP FUNCTION refuse_other_corrections()")
