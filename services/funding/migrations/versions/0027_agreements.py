"""Agreements as a condition of payment: which versions are in force when, and from which month one is needed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"

_KNOWN = """
    INSERT INTO network_agreements
        (network, agreement_version, in_force_from, last_day, position, ended_position, valid, known)
    SELECT network, agreement_version, in_force_from, last_day, position, ended_position,
           CASE
               WHEN in_force_from IS NULL OR (ended_position > position AND last_day < in_force_from) THEN 'empty'
               WHEN ended_position > position THEN daterange(in_force_from, last_day, '[]')
               ELSE daterange(in_force_from, NULL)
           END,
           tstzrange(now(), NULL)
    FROM agreed_terms
"""


def upgrade() -> None:
    op.create_table(
        "agreement_rules",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("needed", sa.Boolean(), nullable=False),
        sa.Column("sources", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("valid"), "&&"), (sa.column("known"), "&&"), using="gist", name="ex_agreement_rules_overlap"
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_agreement_rules")),
    )
    op.create_table(
        "network_agreements",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("agreement_version", sa.Integer(), nullable=False),
        sa.Column("in_force_from", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("ended_position", sa.BigInteger(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("agreement_version"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_network_agreements_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_network_agreements")),
    )
    op.create_index("ix_network_agreements_network", "network_agreements", ["network"], unique=False)
    op.add_column("networks", sa.Column("by_application", sa.Boolean(), server_default="false", nullable=False))
    op.execute(_KNOWN)


def downgrade() -> None:
    op.drop_column("networks", "by_application")
    op.drop_table("network_agreements")
    op.drop_table("agreement_rules")
