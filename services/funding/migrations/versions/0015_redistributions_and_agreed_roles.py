"""redistributions and agreed roles"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "agreed_roles",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ceiling", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("agreed_on", sa.Date(), nullable=False),
        sa.Column("agreed_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("role"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_agreed_roles_overlap",
        ),
        sa.CheckConstraint("ceiling > 0", name=op.f("ck_agreed_roles_ceiling")),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_agreed_roles")),
    )
    op.create_index("ix_agreed_roles_network", "agreed_roles", ["network"], unique=False)
    op.create_table(
        "redistributions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.Column("giver", sa.String(length=32), nullable=False),
        sa.Column("receiver", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "offered", "accepted", "approved", "refused", name="redistributionstep", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column("offered_on", sa.Date(), nullable=False),
        sa.Column("offered_by", sa.Text(), nullable=False),
        sa.Column("accepted_on", sa.Date(), nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_redistributions_amount")),
        sa.CheckConstraint("giver <> receiver", name=op.f("ck_redistributions_two_networks")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redistributions")),
    )
    op.create_index("ix_redistributions_giver", "redistributions", ["giver", "contract_year"], unique=False)
    op.create_index("ix_redistributions_receiver", "redistributions", ["receiver", "contract_year"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_redistributions_receiver", table_name="redistributions")
    op.drop_index("ix_redistributions_giver", table_name="redistributions")
    op.drop_table("redistributions")
    op.drop_index("ix_agreed_roles_network", table_name="agreed_roles")
    op.drop_table("agreed_roles")
