"""Groupings nobody has decided, with what the register said of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "what_ifs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("snapshot", sa.Date(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisations", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("proposal", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("round", sa.String(length=32), nullable=True),
        sa.Column("applications", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_what_ifs")),
    )
    op.create_index(op.f("ix_what_ifs_commissioner"), "what_ifs", ["commissioner"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_what_ifs_commissioner"), table_name="what_ifs")
    op.drop_table("what_ifs")
