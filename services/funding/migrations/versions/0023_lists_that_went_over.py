"""Practices that went over into another: their patients count with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "practice_heirs",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("successor", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_practice_heirs_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_practice_heirs")),
    )
    op.create_index("ix_practice_heirs_successor", "practice_heirs", ["successor"], unique=False)


def downgrade() -> None:
    op.drop_table("practice_heirs")
