"""practices claim"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "practice_claims",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "new_salaried_gp", "increased_participation", "continuation", name="kind", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("zone", sa.String(length=32), nullable=False),
        sa.Column(
            "engagement",
            sa.Enum(
                "salaried",
                "partner",
                "locum",
                "sickness_cover",
                "other_flexible",
                name="engagement",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("worked_from", sa.Date(), nullable=False),
        sa.Column("worked_to", sa.Date(), nullable=False),
        sa.Column("sessions", sa.Numeric(), nullable=False),
        sa.Column("sessions_before", sa.Numeric(), nullable=False),
        sa.Column("contracted_sessions", sa.Numeric(), nullable=False),
        sa.Column("hours", sa.Numeric(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("employed_here_until", sa.Date(), nullable=True),
        sa.Column("only_as_cover", sa.Boolean(), nullable=False),
        sa.Column("funded_before", sa.String(length=32), nullable=True),
        sa.Column("salary", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("employer_ni", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("employer_pension", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "submitted",
                "returned",
                "approved",
                "rejected",
                "paid",
                "withdrawn",
                name="step",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("submitted_on", sa.Date(), nullable=True),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("payable", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("limited_by", sa.String(length=32), nullable=True),
        sa.Column("checked", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("run", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("payable IS NULL OR payable >= 0", name=op.f("ck_practice_claims_payable")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practice_claims")),
    )
    op.create_index("ix_practice_claims_person", "practice_claims", ["person", "month"], unique=False)
    op.create_index("ix_practice_claims_practice", "practice_claims", ["practice", "contract_year"], unique=False)
    op.create_index("ix_practice_claims_series", "practice_claims", ["series"], unique=False)
    op.create_index("ix_practice_claims_status", "practice_claims", ["status"], unique=False)
    op.create_index(
        "uq_practice_claims_live",
        "practice_claims",
        ["practice", "person", "kind", "month"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('withdrawn', 'rejected')"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_practice_claims_live",
        table_name="practice_claims",
        postgresql_where=sa.text("status NOT IN ('withdrawn', 'rejected')"),
    )
    op.drop_index("ix_practice_claims_status", table_name="practice_claims")
    op.drop_index("ix_practice_claims_series", table_name="practice_claims")
    op.drop_index("ix_practice_claims_practice", table_name="practice_claims")
    op.drop_index("ix_practice_claims_person", table_name="practice_claims")
    op.drop_table("practice_claims")
