"""The projections: the map, coverage, deadlines, spend and workforce."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.migrations import create_plumbing, drop_plumbing

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_plumbing(op)
    op.create_table(
        "allocations",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("practice", "network", "valid_from", name=op.f("pk_allocations")),
    )
    op.create_index("ix_allocations_network", "allocations", ["network"], unique=False)
    op.create_table(
        "applications",
        sa.Column("application", sa.String(length=32), nullable=False),
        sa.Column("round", sa.String(length=32), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "applied", "returned", "approved", "refused", name="applicationstate", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column("state_sequence", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("practices", postgresql.ARRAY(sa.String(length=32)), nullable=True),
        sa.Column("patients", sa.Integer(), nullable=True),
        sa.Column("submitted_on", sa.Date(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=True),
        sa.Column("submitted_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("application", name=op.f("pk_applications")),
    )
    op.create_index(op.f("ix_applications_round"), "applications", ["round"], unique=False)
    op.create_table(
        "budgets",
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("contract_year", "network", name=op.f("pk_budgets")),
    )
    op.create_table(
        "claims",
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("post", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=True),
        sa.Column("wte", sa.Numeric(), nullable=True),
        sa.Column("claimed", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("made_on", sa.Date(), nullable=True),
        sa.Column(
            "state",
            sa.Enum("made", "approved", "rejected", "paid", name="claimstate", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("payable", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("limited_by", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("paid", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("outcome_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("claim", name=op.f("pk_claims")),
    )
    op.create_table(
        "commissioner_spend",
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("stream", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("contract_year", "commissioner", "stream", "month", name=op.f("pk_commissioner_spend")),
    )
    op.create_table(
        "commissioners",
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("system_name", sa.Text(), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("region_name", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("commissioner", "valid_from", name=op.f("pk_commissioners")),
    )
    op.create_index(op.f("ix_commissioners_system"), "commissioners", ["system"], unique=False)
    op.create_table(
        "coverage_changes",
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("registered", sa.Numeric(), nullable=False),
        sa.Column("covered", sa.Numeric(), nullable=False),
        sa.Column("allocated", sa.Numeric(), nullable=False),
        sa.Column("uncovered", sa.Numeric(), nullable=False),
        sa.Column("twice", sa.Numeric(), nullable=False),
        sa.Column("practices", sa.Integer(), nullable=False),
        sa.Column("practices_uncovered", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("commissioner", "day", name=op.f("pk_coverage_changes")),
    )
    op.create_table(
        "list_sizes",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("snapshot", sa.Date(), nullable=False),
        sa.Column("patients", sa.Numeric(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("practice", "snapshot", name=op.f("pk_list_sizes")),
    )
    op.create_table(
        "memberships",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("share", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("network", "practice", "valid_from", name=op.f("pk_memberships")),
    )
    op.create_index("ix_memberships_practice", "memberships", ["practice"], unique=False)
    op.create_table(
        "network_claims",
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("claimed", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("contract_year", "month", "network", name=op.f("pk_network_claims")),
    )
    op.create_table(
        "networks",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("commissioner", sa.String(length=32), nullable=True),
        sa.Column("approved_on", sa.Date(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("decided_by", sa.String(length=32), nullable=True),
        sa.Column("payee", sa.String(length=32), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("network", name=op.f("pk_networks")),
    )
    op.create_index(op.f("ix_networks_commissioner"), "networks", ["commissioner"], unique=False)
    op.create_table(
        "planned_roles",
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("start_month", sa.String(length=32), nullable=False),
        sa.Column("wte", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("contract_year", "network", "role", "start_month", name=op.f("pk_planned_roles")),
    )
    op.create_table(
        "plans",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("planned_cost", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("submitted_on", sa.Date(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("network", "contract_year", name=op.f("pk_plans")),
    )
    op.create_table(
        "posts",
        sa.Column("post", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("wte", sa.Numeric(), nullable=False),
        sa.Column("zone", sa.String(length=32), nullable=False),
        sa.Column("employer", sa.String(length=32), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("additional", sa.Boolean(), nullable=False),
        sa.Column("days_to_hire", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("post", name=op.f("pk_posts")),
    )
    op.create_index("ix_posts_network", "posts", ["network", "role"], unique=False)
    op.create_table(
        "practice_coverage",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("registered", sa.Numeric(), nullable=False),
        sa.Column("covered", sa.Numeric(), nullable=False),
        sa.Column("allocated", sa.Numeric(), nullable=False),
        sa.Column("uncovered", sa.Numeric(), nullable=False),
        sa.Column("twice", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("practice", "first", name=op.f("pk_practice_coverage")),
    )
    op.create_index(
        "ix_practice_coverage_commissioner", "practice_coverage", ["commissioner", "practice"], unique=False
    )
    op.create_table(
        "practices",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("practice", name=op.f("pk_practices")),
    )
    op.create_index(op.f("ix_practices_commissioner"), "practices", ["commissioner"], unique=False)
    op.create_table(
        "rounds",
        sa.Column("round", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("apply_by", sa.Date(), nullable=True),
        sa.Column("decide_by", sa.Date(), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("override_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("round", name=op.f("pk_rounds")),
    )
    op.create_index(op.f("ix_rounds_commissioner"), "rounds", ["commissioner"], unique=False)
    op.create_index(op.f("ix_rounds_contract_year"), "rounds", ["contract_year"], unique=False)
    op.create_table(
        "spend",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("stream", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("run_month", sa.String(length=32), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run", "network", "practice", "stream", "month", name=op.f("pk_spend")),
    )
    op.create_index("ix_spend_network", "spend", ["network", "contract_year"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_spend_network", table_name="spend")
    op.drop_table("spend")
    op.drop_index(op.f("ix_rounds_contract_year"), table_name="rounds")
    op.drop_index(op.f("ix_rounds_commissioner"), table_name="rounds")
    op.drop_table("rounds")
    op.drop_index(op.f("ix_practices_commissioner"), table_name="practices")
    op.drop_table("practices")
    op.drop_index("ix_practice_coverage_commissioner", table_name="practice_coverage")
    op.drop_table("practice_coverage")
    op.drop_index("ix_posts_network", table_name="posts")
    op.drop_table("posts")
    op.drop_table("plans")
    op.drop_table("planned_roles")
    op.drop_index(op.f("ix_networks_commissioner"), table_name="networks")
    op.drop_table("networks")
    op.drop_table("network_claims")
    op.drop_index("ix_memberships_practice", table_name="memberships")
    op.drop_table("memberships")
    op.drop_table("list_sizes")
    op.drop_table("coverage_changes")
    op.drop_index(op.f("ix_commissioners_system"), table_name="commissioners")
    op.drop_table("commissioners")
    op.drop_table("commissioner_spend")
    op.drop_table("claims")
    op.drop_table("budgets")
    op.drop_index(op.f("ix_applications_round"), table_name="applications")
    op.drop_table("applications")
    op.drop_index("ix_allocations_network", table_name="allocations")
    op.drop_table("allocations")
    drop_plumbing(op)
