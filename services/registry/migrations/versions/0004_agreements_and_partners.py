"""agreements and partners"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "agreement_versions",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("draft", "sent", "signed", "abandoned", name="agreementstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("in_force_from", sa.Date(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("drafted_by", sa.Text(), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_on", sa.Date(), nullable=True),
        sa.Column("sent_by", sa.Text(), nullable=True),
        sa.Column("in_force_since", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("abandoned_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("network", "number", name=op.f("pk_agreement_versions")),
    )
    op.create_table(
        "partner_terms",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "trust",
                "pharmacy",
                "council",
                "charity",
                "federation",
                "practice",
                "other",
                name="partnerkind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("party", sa.Boolean(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("organisation"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_partner_terms_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_partner_terms")),
    )
    op.create_index(op.f("ix_partner_terms_network"), "partner_terms", ["network"], unique=False)
    op.create_index(op.f("ix_partner_terms_partner"), "partner_terms", ["partner"], unique=False)
    op.create_table(
        "partners",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partners")),
    )
    op.create_index(op.f("ix_partners_network"), "partners", ["network"], unique=False)
    op.create_table(
        "agreement_named_partners",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network", "number"],
            ["agreement_versions.network", "agreement_versions.number"],
            name=op.f("fk_agreement_named_partners_network_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("network", "number", "practice", "person", name=op.f("pk_agreement_named_partners")),
    )
    op.create_table(
        "agreement_signatures",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=True),
        sa.Column("person", sa.String(), nullable=True),
        sa.Column("partner", sa.String(length=32), nullable=True),
        sa.Column("signatory", sa.Text(), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("number"), "="),
            (sa.column("party"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_agreement_signatures_overlap",
        ),
        sa.CheckConstraint("(practice is null) <> (partner is null)", name=op.f("ck_agreement_signatures_one_party")),
        sa.ForeignKeyConstraint(
            ["network", "number"],
            ["agreement_versions.network", "agreement_versions.number"],
            name=op.f("fk_agreement_signatures_network_number"),
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_agreement_signatures")),
    )
    op.create_index(op.f("ix_agreement_signatures_id"), "agreement_signatures", ["id"], unique=False)
    op.create_table(
        "agreements_in_force",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_agreements_in_force_overlap",
        ),
        sa.ForeignKeyConstraint(
            ["network", "number"],
            ["agreement_versions.network", "agreement_versions.number"],
            name=op.f("fk_agreements_in_force_network_number"),
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_agreements_in_force")),
    )


def downgrade() -> None:
    op.drop_table("agreements_in_force")
    op.drop_index(op.f("ix_agreement_signatures_id"), table_name="agreement_signatures")
    op.drop_table("agreement_signatures")
    op.drop_table("agreement_named_partners")
    op.drop_index(op.f("ix_partners_network"), table_name="partners")
    op.drop_table("partners")
    op.drop_index(op.f("ix_partner_terms_partner"), table_name="partner_terms")
    op.drop_index(op.f("ix_partner_terms_network"), table_name="partner_terms")
    op.drop_table("partner_terms")
    op.drop_table("agreement_versions")
