"""Roles, plans, vacancies, people in post, their costs and claims, and copies of networks and rates."""

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
        "baselines",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("wte", sa.Numeric(), nullable=False),
        sa.Column("vacant_from", sa.Date(), nullable=True),
        sa.Column("filled_on", sa.Date(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("wte > 0", name=op.f("ck_baselines_wte_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_baselines")),
        sa.UniqueConstraint("practice", "role", name=op.f("uq_baselines_practice_role")),
    )
    op.create_table(
        "budgets",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("network", "contract_year", name=op.f("pk_budgets")),
    )
    op.create_table(
        "candidates",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("recruited_from", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_candidates")),
        sa.UniqueConstraint("network", "reference", name=op.f("uq_candidates_network_reference")),
    )
    op.create_table(
        "ceilings",
        sa.Column("tariff", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("zone", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("known_from", sa.Date(), nullable=False),
        sa.Column("confidence", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tariff", name=op.f("pk_ceilings")),
    )
    op.create_index("ix_ceilings_role", "ceilings", ["role", "zone"], unique=False)
    op.create_table(
        "claim_outcomes",
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("approved", "rejected", "paid", name="outcomestate", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("payable", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("limited_by", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("paid", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("claim", name=op.f("pk_claim_outcomes")),
    )
    op.create_table(
        "commissioners",
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("commissioner", "valid_from", name=op.f("pk_commissioners")),
    )
    op.create_index(op.f("ix_commissioners_system"), "commissioners", ["system"], unique=False)
    op.create_table(
        "list_sizes",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("snapshot", sa.Date(), nullable=False),
        sa.Column("patients", sa.Numeric(), nullable=False),
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
        "networks",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("approved_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("network", name=op.f("pk_networks")),
    )
    op.create_index(op.f("ix_networks_commissioner"), "networks", ["commissioner"], unique=False)
    op.create_table(
        "plans",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column(
            "status", sa.Enum("draft", "submitted", name="planstatus", native_enum=False, length=32), nullable=False
        ),
        sa.Column("roles", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("submitted_on", sa.Date(), nullable=True),
        sa.Column("planned_cost", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("warnings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("network", "contract_year", name=op.f("uq_plans_network_contract_year")),
    )
    op.create_table(
        "practices",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("practice", name=op.f("pk_practices")),
    )
    op.create_index(op.f("ix_practices_commissioner"), "practices", ["commissioner"], unique=False)
    op.create_table(
        "roles",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("band", sa.Text(), nullable=False),
        sa.Column("claimable_from", sa.Date(), nullable=False),
        sa.Column("claimable_to", sa.Date(), nullable=True),
        sa.Column("employers", sa.ARRAY(sa.String(length=32)), nullable=False),
        sa.Column("supplier_fee", sa.Boolean(), nullable=False),
        sa.Column("professional_register", sa.Boolean(), nullable=False),
        sa.Column("confidence", sa.Text(), nullable=False),
        sa.Column("sources", sa.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_roles")),
    )
    op.create_table(
        "role_caps",
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("below_100000", sa.Numeric(), nullable=False),
        sa.Column("from_100000", sa.Numeric(), nullable=False),
        sa.Column("confidence", sa.Text(), nullable=False),
        sa.Column("sources", sa.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["role"], ["roles.code"], name=op.f("fk_role_caps_role")),
        sa.PrimaryKeyConstraint("role", "valid_from", name=op.f("pk_role_caps")),
    )
    op.create_table(
        "role_shares",
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("share", sa.Numeric(), nullable=False),
        sa.Column("confidence", sa.Text(), nullable=False),
        sa.Column("sources", sa.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["role"], ["roles.code"], name=op.f("fk_role_shares_role")),
        sa.PrimaryKeyConstraint("role", "valid_from", name=op.f("pk_role_shares")),
    )
    op.create_table(
        "vacancies",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("plan", sa.String(length=32), nullable=True),
        sa.Column("baseline", sa.String(length=32), nullable=True),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("wte", sa.Numeric(), nullable=False),
        sa.Column("zone", sa.String(length=32), nullable=False),
        sa.Column("employer", sa.String(length=32), nullable=False),
        sa.Column("employer_kind", sa.String(length=32), nullable=False),
        sa.Column("additional", sa.Boolean(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column(
            "stage",
            sa.Enum(
                "vacancy",
                "advert",
                "applications",
                "shortlist",
                "interview",
                "offer",
                "checks",
                "in_post",
                "withdrawn",
                name="stage",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("checks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("wte > 0", name=op.f("ck_vacancies_wte_positive")),
        sa.ForeignKeyConstraint(["baseline"], ["baselines.id"], name=op.f("fk_vacancies_baseline")),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name=op.f("fk_vacancies_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vacancies")),
    )
    op.create_index("ix_vacancies_network", "vacancies", ["network", "id"], unique=False)
    op.create_table(
        "posts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("vacancy", sa.String(length=32), nullable=False),
        sa.Column("candidate", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("wte", sa.Numeric(), nullable=False),
        sa.Column("zone", sa.String(length=32), nullable=False),
        sa.Column("employer", sa.String(length=32), nullable=False),
        sa.Column("employer_kind", sa.String(length=32), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("ending_reason", sa.Text(), nullable=True),
        sa.Column("additional", sa.Boolean(), nullable=False),
        sa.Column("days_to_hire", sa.Integer(), nullable=False),
        sa.Column("salary_basis", sa.Text(), nullable=True),
        sa.Column("over_full_time_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("ended_on >= started_on", name=op.f("ck_posts_ends_after_start")),
        sa.CheckConstraint("wte > 0", name=op.f("ck_posts_wte_positive")),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"], name=op.f("fk_posts_candidate")),
        sa.ForeignKeyConstraint(["vacancy"], ["vacancies.id"], name=op.f("fk_posts_vacancy")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("vacancy", name=op.f("uq_posts_vacancy")),
    )
    op.create_index(op.f("ix_posts_candidate"), "posts", ["candidate"], unique=False)
    op.create_index("ix_posts_network", "posts", ["network", "id"], unique=False)
    op.create_table(
        "claims",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("post", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=32), nullable=False),
        sa.Column("worked_from", sa.Date(), nullable=False),
        sa.Column("worked_to", sa.Date(), nullable=False),
        sa.Column("salary", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("employer_ni", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("employer_pension", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("supplier_fee", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["post"], ["posts.id"], name=op.f("fk_claims_post")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
        sa.UniqueConstraint("post", "month", name=op.f("uq_claims_post_month")),
    )
    op.create_index("ix_claims_network", "claims", ["network", "month", "id"], unique=False)
    op.create_table(
        "post_costs",
        sa.Column("post", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("salary", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("employer_ni", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("employer_pension", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("supplier_fee", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "least(salary, employer_ni, employer_pension, supplier_fee) >= 0", name=op.f("ck_post_costs_amounts")
        ),
        sa.ForeignKeyConstraint(["post"], ["posts.id"], name=op.f("fk_post_costs_post")),
        sa.PrimaryKeyConstraint("post", "month", name=op.f("pk_post_costs")),
    )
    op.execute(
        "CREATE TRIGGER claims_append_only BEFORE UPDATE OR DELETE ON claims "
        "FOR EACH ROW EXECUTE FUNCTION pcn_refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("post_costs")
    op.drop_index("ix_claims_network", table_name="claims")
    op.drop_table("claims")
    op.drop_index("ix_posts_network", table_name="posts")
    op.drop_index(op.f("ix_posts_candidate"), table_name="posts")
    op.drop_table("posts")
    op.drop_index("ix_vacancies_network", table_name="vacancies")
    op.drop_table("vacancies")
    op.drop_table("role_shares")
    op.drop_table("role_caps")
    op.drop_table("roles")
    op.drop_index(op.f("ix_practices_commissioner"), table_name="practices")
    op.drop_table("practices")
    op.drop_table("plans")
    op.drop_index(op.f("ix_networks_commissioner"), table_name="networks")
    op.drop_table("networks")
    op.drop_index("ix_memberships_practice", table_name="memberships")
    op.drop_table("memberships")
    op.drop_table("list_sizes")
    op.drop_index(op.f("ix_commissioners_system"), table_name="commissioners")
    op.drop_table("commissioners")
    op.drop_table("claim_outcomes")
    op.drop_index("ix_ceilings_role", table_name="ceilings")
    op.drop_table("ceilings")
    op.drop_table("candidates")
    op.drop_table("budgets")
    op.drop_table("baselines")
    drop_plumbing(op)
