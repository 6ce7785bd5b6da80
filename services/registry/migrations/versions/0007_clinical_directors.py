"""clinical directors"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "director_appointments",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("election", sa.String(length=32), nullable=True),
        sa.Column("application", sa.String(length=32), nullable=True),
        sa.Column("appointed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_director_appointments")),
    )
    op.create_index(op.f("ix_director_appointments_network"), "director_appointments", ["network"], unique=False)
    op.create_table(
        "director_terms",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("appointment", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("registration_body", sa.String(), nullable=True),
        sa.Column("registration_number", sa.String(), nullable=True),
        sa.Column(
            "method",
            sa.Enum("appointed", "elected", "rotating", name="method", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("portion", postgresql.NUMMULTIRANGE(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("network"), "="),
            (sa.column("portion"), "&&"),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_director_terms_overlap",
        ),
        sa.CheckConstraint(
            "portion <@ numrange(0, 1) and not isempty(portion)", name=op.f("ck_director_terms_portion_of_one_office")
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_director_terms")),
    )
    op.create_index(op.f("ix_director_terms_appointment"), "director_terms", ["appointment"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_director_terms_appointment"), table_name="director_terms")
    op.drop_table("director_terms")
    op.drop_index(op.f("ix_director_appointments_network"), table_name="director_appointments")
    op.drop_table("director_appointments")
