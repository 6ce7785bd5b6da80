"""Areas, exceptions, localities, the figures of the size rule, and the whole registration form."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "locality_practices",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("locality", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_locality_practices_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_locality_practices")),
    )
    op.create_index(op.f("ix_locality_practices_network"), "locality_practices", ["network"], unique=False)
    op.create_table(
        "network_areas",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("geometry", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("west", sa.Float(), nullable=False),
        sa.Column("south", sa.Float(), nullable=False),
        sa.Column("east", sa.Float(), nullable=False),
        sa.Column("north", sa.Float(), nullable=False),
        sa.Column("square_metres", sa.Numeric(), nullable=False),
        sa.Column("application", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_network_areas_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_network_areas")),
    )
    op.create_index("ix_network_areas_bounds", "network_areas", ["west", "east", "south", "north"], unique=False)
    op.create_table(
        "practice_locations",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_practice_locations_overlap",
        ),
        sa.CheckConstraint(
            "longitude between -180 and 180 and latitude between -90 and 90",
            name=op.f("ck_practice_locations_somewhere"),
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_practice_locations")),
    )
    op.create_table(
        "size_rules",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("smallest", sa.Numeric(), nullable=False),
        sa.Column("large", sa.Numeric(), nullable=False),
        sa.Column("localities_from", sa.Numeric(), nullable=False),
        sa.Column("locality_smallest", sa.Numeric(), nullable=False),
        sa.Column("locality_largest", sa.Numeric(), nullable=False),
        sa.Column("sliver", sa.Numeric(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("valid"), "&&"), (sa.column("known"), "&&"), using="gist", name="ex_size_rules_overlap"
        ),
        sa.CheckConstraint(
            "0 < locality_smallest and locality_smallest < locality_largest",
            name=op.f("ck_size_rules_localities_in_order"),
        ),
        sa.CheckConstraint(
            "0 < smallest and smallest < large and large < localities_from", name=op.f("ck_size_rules_sizes_in_order")
        ),
        sa.CheckConstraint("sliver >= 0", name=op.f("ck_size_rules_sliver_not_negative")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_size_rules")),
    )
    op.execute(
        "insert into size_rules (smallest, large, localities_from, locality_smallest, locality_largest, sliver, source,"
        " made_by, valid, known) values (30000, 50000, 100000, 30000, 50000, 10000,"
        " 'Network contract specification 2019/20; two areas may share one hectare by a careless pen', 'the contract',"
        " '[2019-04-01,)', '[2019-03-29 00:00:00+00,)')"
    )
    op.create_table(
        "waivers",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=True),
        sa.Column("application", sa.String(length=32), nullable=True),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("subject"), "="),
            (sa.column("finding"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_waivers_overlap",
        ),
        sa.CheckConstraint(
            "subject = coalesce(network, application)", name=op.f("ck_waivers_subject_is_what_is_excepted")
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_waivers")),
    )
    op.create_index(op.f("ix_waivers_commissioner"), "waivers", ["commissioner"], unique=False)
    op.create_index(op.f("ix_waivers_id"), "waivers", ["id"], unique=False)
    op.create_index(op.f("ix_waivers_network"), "waivers", ["network"], unique=False)
    op.create_table(
        "application_steps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("application", sa.String(length=32), nullable=False),
        sa.Column(
            "step",
            sa.Enum(
                "submitted",
                "returned",
                "found_approvable",
                "opinion",
                "approved",
                "refused",
                name="step",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "ground",
            sa.Enum(
                "too_small",
                "too_large",
                "boundary",
                "coverage",
                "members",
                "one_practice",
                "payee",
                "director",
                "incomplete",
                "agreement_content",
                "other",
                name="refusalground",
                native_enum=False,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("form", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["application"], ["applications.id"], name=op.f("fk_application_steps_application"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_steps")),
    )
    op.create_index(op.f("ix_application_steps_application"), "application_steps", ["application"], unique=False)
    op.add_column("application_practices", sa.Column("patients", sa.Numeric(), nullable=True))
    op.add_column("applications", sa.Column("what_if", sa.String(length=32), nullable=True))
    op.add_column(
        "applications",
        sa.Column(
            "refusal_ground",
            sa.Enum(
                "too_small",
                "too_large",
                "boundary",
                "coverage",
                "members",
                "one_practice",
                "payee",
                "director",
                "incomplete",
                "agreement_content",
                "other",
                name="refusalground",
                native_enum=False,
                length=32,
            ),
            nullable=True,
        ),
    )
    op.add_column(
        "applications",
        sa.Column(
            "kind",
            sa.Enum("new", "change", "reform", name="applicationkind", native_enum=False, length=32),
            nullable=True,
        ),
    )
    # an approved application names the network it became: it was a new one if nobody knew that network before
    op.execute(
        "update applications a set kind = case when a.network is null or (a.status = 'approved' and not exists ("
        "select from network_entries e join rounds r on r.id = a.round where e.network = a.network"
        " and lower(e.valid) < r.starts_on)) then 'new' else 'change' end"
    )
    op.alter_column("applications", "kind", nullable=False)
    op.add_column(
        "applications", sa.Column("reforms", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}")
    )
    op.alter_column("applications", "reforms", server_default=None)
    op.add_column(
        "applications",
        sa.Column(
            "reform_reason",
            sa.Enum(
                "alignment_with_neighbourhoods",
                "practices_closed_or_merged",
                "size",
                "members_part_by_agreement",
                "other",
                name="reformreason",
                native_enum=False,
                length=32,
            ),
            nullable=True,
        ),
    )
    op.add_column("applications", sa.Column("reform_explanation", sa.Text(), nullable=True))
    op.add_column(
        "applications",
        sa.Column("clinical_directors", postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default="[]"),
    )
    op.alter_column("applications", "clinical_directors", server_default=None)
    op.execute(
        "update applications set clinical_directors = jsonb_build_array(jsonb_build_object('name', director_name,"
        " 'practice', director_practice, 'professional_registration', director_registration, 'share', null))"
        " where director_name is not null"
    )
    op.add_column("applications", sa.Column("bank_details_given", sa.Boolean(), nullable=True))
    op.add_column(
        "applications", sa.Column("area", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.add_column(
        "applications",
        sa.Column("localities", postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default="[]"),
    )
    op.alter_column("applications", "localities", server_default=None)
    op.drop_column("applications", "director_registration")
    op.drop_column("applications", "director_practice")
    op.drop_column("applications", "director_name")


def downgrade() -> None:
    op.add_column("applications", sa.Column("director_name", sa.TEXT(), autoincrement=False, nullable=True))
    op.add_column(
        "applications", sa.Column("director_practice", sa.VARCHAR(length=32), autoincrement=False, nullable=True)
    )
    op.add_column("applications", sa.Column("director_registration", sa.TEXT(), autoincrement=False, nullable=True))
    op.execute(
        "update applications set director_name = clinical_directors -> 0 ->> 'name',"
        " director_practice = clinical_directors -> 0 ->> 'practice',"
        " director_registration = clinical_directors -> 0 ->> 'professional_registration'"
    )
    op.drop_column("applications", "localities")
    op.drop_column("applications", "area")
    op.drop_column("applications", "bank_details_given")
    op.drop_column("applications", "clinical_directors")
    op.drop_column("applications", "reform_explanation")
    op.drop_column("applications", "reform_reason")
    op.drop_column("applications", "reforms")
    op.drop_column("applications", "kind")
    op.drop_column("applications", "refusal_ground")
    op.drop_column("applications", "what_if")
    op.drop_column("application_practices", "patients")
    op.drop_index(op.f("ix_application_steps_application"), table_name="application_steps")
    op.drop_table("application_steps")
    op.drop_index(op.f("ix_waivers_network"), table_name="waivers")
    op.drop_index(op.f("ix_waivers_id"), table_name="waivers")
    op.drop_index(op.f("ix_waivers_commissioner"), table_name="waivers")
    op.drop_table("waivers")
    op.drop_table("size_rules")
    op.drop_table("practice_locations")
    op.drop_index("ix_network_areas_bounds", table_name="network_areas")
    op.drop_table("network_areas")
    op.drop_index(op.f("ix_locality_practices_network"), table_name="locality_practices")
    op.drop_table("locality_practices")
