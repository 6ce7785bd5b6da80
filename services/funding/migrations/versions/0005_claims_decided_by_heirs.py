"""claims decided by heirs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


# What was claimed before counts whole; networks and commissioners held already have been as they are from their start.
_FILL = (
    "UPDATE claims SET counted = wte * (worked_to - worked_from + 1) WHERE payable IS NOT NULL",
    "INSERT INTO tenures (network, valid_from, commissioner) "
    "SELECT code, valid_from, commissioner FROM networks WHERE valid_from IS NOT NULL",
    "INSERT INTO system_places (commissioner, valid_from, system, position) "
    "SELECT code, '2019-04-01', system, 0 FROM commissioners",
)


def upgrade() -> None:
    op.create_table(
        "claim_deadlines",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("stream", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("days_after_month", sa.Integer(), nullable=True),
        sa.Column("closes_on", sa.Date(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("stream"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_claim_deadlines_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_claim_deadlines")),
    )
    op.create_table(
        "successions",
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("successor", sa.String(length=32), nullable=False),
        sa.Column("succeeded_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("commissioner", "successor", name=op.f("pk_successions")),
    )
    op.create_index("ix_successions_successor", "successions", ["successor"], unique=False)
    op.create_table(
        "system_places",
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("commissioner", "valid_from", name=op.f("pk_system_places")),
    )
    op.create_index("ix_system_places_system", "system_places", ["system"], unique=False)
    op.create_table(
        "tenures",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("network", "valid_from", name=op.f("pk_tenures")),
    )
    op.create_index("ix_tenures_commissioner", "tenures", ["commissioner"], unique=False)
    op.add_column("claims", sa.Column("first_made_on", sa.Date(), nullable=True))
    op.add_column("claims", sa.Column("person", sa.String(length=64), nullable=True))
    op.add_column("claims", sa.Column("employer", sa.String(length=32), nullable=True))
    op.add_column("claims", sa.Column("started_on", sa.Date(), nullable=True))
    op.add_column("claims", sa.Column("standing", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("claims", sa.Column("withheld_days", sa.Numeric(), server_default="0", nullable=False))
    op.add_column("claims", sa.Column("resubmits", sa.String(length=64), nullable=True))
    op.add_column("claims", sa.Column("counted", sa.Numeric(), nullable=True))
    op.create_index(op.f("ix_claims_person"), "claims", ["person"], unique=False)
    op.create_index("ix_claims_post", "claims", ["post", "month"], unique=False)
    for statement in _FILL:
        op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_claims_post", table_name="claims")
    op.drop_index(op.f("ix_claims_person"), table_name="claims")
    op.drop_column("claims", "counted")
    op.drop_column("claims", "resubmits")
    op.drop_column("claims", "withheld_days")
    op.drop_column("claims", "standing")
    op.drop_column("claims", "started_on")
    op.drop_column("claims", "employer")
    op.drop_column("claims", "person")
    op.drop_column("claims", "first_made_on")
    op.drop_index("ix_tenures_commissioner", table_name="tenures")
    op.drop_table("tenures")
    op.drop_index("ix_system_places_system", table_name="system_places")
    op.drop_table("system_places")
    op.drop_index("ix_successions_successor", table_name="successions")
    op.drop_table("successions")
    op.drop_table("claim_deadlines")
