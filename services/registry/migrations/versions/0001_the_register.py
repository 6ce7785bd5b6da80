"""Practices, networks, lists, rounds and applications, with the database's own refusals of overlaps."""

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
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=True),
        sa.Column("application", sa.String(length=32), nullable=True),
        sa.Column("round", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_allocations_overlap",
        ),
        sa.CheckConstraint(
            "network is not null or application is not null", name=op.f("ck_allocations_names_who_serves")
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_allocations")),
    )
    op.create_index(op.f("ix_allocations_application"), "allocations", ["application"], unique=False)
    op.create_index(op.f("ix_allocations_commissioner"), "allocations", ["commissioner"], unique=False)
    op.create_index(op.f("ix_allocations_id"), "allocations", ["id"], unique=False)
    op.create_index(op.f("ix_allocations_network"), "allocations", ["network"], unique=False)
    op.create_table(
        "commissioners",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("delegated", sa.Boolean(), nullable=False),
        sa.Column("delegation_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_commissioners")),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "epraccur",
                "epcn",
                "adjusted-populations",
                "hierarchy",
                "practice-payments",
                name="importkind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("snapshot", sa.Date(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("loaded", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("refused", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("differences", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_kind_sha256", "imports", ["kind", "sha256"], unique=False)
    op.create_table(
        "list_sizes",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column(
            "basis",
            sa.Enum("registered", "weighted", "adjusted", name="basis", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("value", sa.Numeric(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "confidence",
            sa.Enum(
                "confirmed_2", "one_source", "derived", "remembered", name="confidence", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("basis"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_list_sizes_overlap",
        ),
        sa.CheckConstraint("value >= 0", name=op.f("ck_list_sizes_value_not_negative")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_list_sizes")),
    )
    op.create_index("ix_list_sizes_commissioner", "list_sizes", ["commissioner"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("portion", postgresql.NUMRANGE(), server_default=sa.text("'[0,1)'"), nullable=False),
        sa.Column("round", sa.String(length=32), nullable=True),
        sa.Column("application", sa.String(length=32), nullable=True),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("portion"), "&&"),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_memberships_overlap",
        ),
        sa.CheckConstraint(
            "portion <@ numrange(0, 1) and not isempty(portion)", name=op.f("ck_memberships_portion_of_one_list")
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_network"), "memberships", ["network"], unique=False)
    op.create_table(
        "network_entries",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_network_entries_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_network_entries")),
    )
    op.create_index(op.f("ix_network_entries_commissioner"), "network_entries", ["commissioner"], unique=False)
    op.create_table(
        "networks",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("code ~ '^U[0-9]{5}$'", name=op.f("ck_networks_code_is_u_and_five_digits")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_networks")),
    )
    op.create_table(
        "payees",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("payee", sa.String(length=32), nullable=False),
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
        "placements",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("system_name", sa.Text(), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("region_name", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("commissioner"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_placements_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_placements")),
    )
    op.create_index(op.f("ix_placements_system"), "placements", ["system"], unique=False)
    op.create_table(
        "practice_commissioners",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_practice_commissioners_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_practice_commissioners")),
    )
    op.create_index(
        op.f("ix_practice_commissioners_commissioner"), "practice_commissioners", ["commissioner"], unique=False
    )
    op.create_table(
        "practice_entries",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("active", "dormant", "closed", "proposed", name="practicestatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_practice_entries_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_practice_entries")),
    )
    op.create_table(
        "practices",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("setting", sa.String(), nullable=True),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_practices")),
    )
    op.create_table(
        "rounds",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(), nullable=False),
        sa.Column("opens_on", sa.Date(), nullable=False),
        sa.Column("apply_by", sa.Date(), nullable=False),
        sa.Column("decide_by", sa.Date(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("snapshot", sa.Date(), nullable=False),
        sa.Column(
            "status", sa.Enum("open", "decided", name="roundstatus", native_enum=False, length=32), nullable=False
        ),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("override_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("opens_on <= apply_by and apply_by <= decide_by", name=op.f("ck_rounds_deadlines_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rounds")),
    )
    op.create_index(
        "uq_rounds_one_open",
        "rounds",
        ["commissioner", "contract_year"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "applications",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("round", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "submitted",
                "returned",
                "approved",
                "refused",
                name="applicationstatus",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("network_name", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=True),
        sa.Column("proposed_code", sa.String(length=32), nullable=True),
        sa.Column("director_name", sa.Text(), nullable=True),
        sa.Column("director_practice", sa.String(length=32), nullable=True),
        sa.Column("director_registration", sa.Text(), nullable=True),
        sa.Column("payee", sa.String(length=32), nullable=True),
        sa.Column("agreement_signed_by", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("area_description", sa.Text(), nullable=True),
        sa.Column("size_waiver_reason", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("submitted_on", sa.Date(), nullable=True),
        sa.Column("submitted_by", sa.Text(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("registered_patients", sa.Numeric(), nullable=True),
        sa.Column("waived_by", sa.Text(), nullable=True),
        sa.Column("returned_on", sa.Date(), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("found_approvable_on", sa.Date(), nullable=True),
        sa.Column("found_approvable_by", sa.Text(), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column(
            "opinion",
            sa.Enum("agrees", "objects", "mediating", name="lmcopinion", native_enum=False, length=32),
            nullable=True,
        ),
        sa.Column("opinion_reason", sa.Text(), nullable=True),
        sa.Column("opinion_by", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name=op.f("fk_applications_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
    )
    op.create_index(op.f("ix_applications_commissioner"), "applications", ["commissioner"], unique=False)
    op.create_index(op.f("ix_applications_round"), "applications", ["round"], unique=False)
    op.create_table(
        "application_practices",
        sa.Column("application", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("share", sa.Numeric(), nullable=False),
        sa.Column("leaves", sa.String(length=32), nullable=True),
        sa.CheckConstraint("share > 0 and share <= 1", name=op.f("ck_application_practices_share_of_one_list")),
        sa.ForeignKeyConstraint(
            ["application"], ["applications.id"], name=op.f("fk_application_practices_application"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("application", "practice", name=op.f("pk_application_practices")),
    )


def downgrade() -> None:
    op.drop_table("application_practices")
    op.drop_index(op.f("ix_applications_round"), table_name="applications")
    op.drop_index(op.f("ix_applications_commissioner"), table_name="applications")
    op.drop_table("applications")
    op.drop_index("uq_rounds_one_open", table_name="rounds", postgresql_where=sa.text("status = 'open'"))
    op.drop_table("rounds")
    op.drop_table("practices")
    op.drop_table("practice_entries")
    op.drop_index(op.f("ix_practice_commissioners_commissioner"), table_name="practice_commissioners")
    op.drop_table("practice_commissioners")
    op.drop_index(op.f("ix_placements_system"), table_name="placements")
    op.drop_table("placements")
    op.drop_table("payees")
    op.drop_table("networks")
    op.drop_index(op.f("ix_network_entries_commissioner"), table_name="network_entries")
    op.drop_table("network_entries")
    op.drop_index(op.f("ix_memberships_network"), table_name="memberships")
    op.drop_table("memberships")
    op.drop_index("ix_list_sizes_commissioner", table_name="list_sizes")
    op.drop_table("list_sizes")
    op.drop_index("ix_imports_kind_sha256", table_name="imports")
    op.drop_table("imports")
    op.drop_table("commissioners")
    op.drop_index(op.f("ix_allocations_network"), table_name="allocations")
    op.drop_index(op.f("ix_allocations_id"), table_name="allocations")
    op.drop_index(op.f("ix_allocations_commissioner"), table_name="allocations")
    op.drop_index(op.f("ix_allocations_application"), table_name="allocations")
    op.drop_table("allocations")
    drop_plumbing(op)
