"""Declared splits of a practice's list, and notices of leaving and joining."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "splits",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=True),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        sa.Column(
            "standing",
            postgresql.DATERANGE(),
            sa.Computed("CASE WHEN upper_inf(known) THEN valid END", persisted=True),
            nullable=True,
        ),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_splits_overlap",
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_splits")),
    )
    op.create_index(op.f("ix_splits_practice"), "splits", ["practice"], unique=False)
    op.execute(
        "ALTER TABLE splits ADD CONSTRAINT fk_splits_practice_standing "
        "FOREIGN KEY (practice, PERIOD standing) REFERENCES practice_entries (practice, PERIOD standing) "
        "DEFERRABLE INITIALLY DEFERRED"
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.Enum("leave", "join", name="noticekind", native_enum=False, length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("side", sa.Enum("practice", "network", name="side", native_enum=False, length=32), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("given", "in_effect", "refused", "withdrawn", name="noticestatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("window", sa.String(length=32), nullable=True),
        sa.Column("consented_on", sa.Date(), nullable=True),
        sa.Column("consented_by", sa.Text(), nullable=True),
        sa.Column("settled_on", sa.Date(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_commissioner"), "notices", ["commissioner"], unique=False)
    op.create_index(op.f("ix_notices_network"), "notices", ["network"], unique=False)
    op.create_index(
        "uq_notices_waiting",
        "notices",
        ["practice", "network", "kind"],
        unique=True,
        postgresql_where=sa.text("status = 'given'"),
    )


def downgrade() -> None:
    op.drop_table("notices")
    op.drop_table("splits")
