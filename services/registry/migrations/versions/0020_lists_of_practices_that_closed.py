"""Lists of practices that closed: allocated after their closing, dispersed, or counted with a successor's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "practice_dispersals",
        sa.Column("fact_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=True),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("practice"), "="),
            (sa.column("valid"), "&&"),
            (sa.column("known"), "&&"),
            using="gist",
            name="ex_practice_dispersals_overlap",
        ),
        sa.ForeignKeyConstraint(
            ["practice"],
            ["practices.code"],
            name=op.f("fk_practice_dispersals_practice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_practice_dispersals")),
    )
    op.create_index(op.f("ix_practice_dispersals_practice"), "practice_dispersals", ["practice"], unique=False)
    op.add_column("allocations", sa.Column("after_closing", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("allocations", "after_closing", server_default=None)
    op.execute(
        "ALTER TABLE allocations ADD COLUMN standing_open daterange "
        "GENERATED ALWAYS AS (CASE WHEN upper_inf(known) AND NOT after_closing THEN valid END) STORED"
    )
    op.drop_constraint("fk_allocations_practice_standing", "allocations")
    op.execute(
        "ALTER TABLE allocations ADD CONSTRAINT fk_allocations_practice_standing "
        "FOREIGN KEY (practice, PERIOD standing_open) REFERENCES practice_entries (practice, PERIOD standing) "
        "DEFERRABLE INITIALLY DEFERRED"
    )
    op.create_foreign_key(
        op.f("fk_allocations_practice"),
        "allocations",
        "practices",
        ["practice"],
        ["code"],
        deferrable=True,
        initially="DEFERRED",
    )
    op.add_column("decided_covers", sa.Column("merged_into", sa.String(length=32), nullable=True))
    op.add_column("decided_covers", sa.Column("dispersed", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("decided_covers", "dispersed")
    op.drop_column("decided_covers", "merged_into")
    op.drop_constraint(op.f("fk_allocations_practice"), "allocations")
    op.drop_constraint("fk_allocations_practice_standing", "allocations")
    op.execute("DELETE FROM allocations WHERE after_closing")
    op.execute(
        "ALTER TABLE allocations ADD CONSTRAINT fk_allocations_practice_standing "
        "FOREIGN KEY (practice, PERIOD standing) REFERENCES practice_entries (practice, PERIOD standing) "
        "DEFERRABLE INITIALLY DEFERRED"
    )
    op.drop_column("allocations", "standing_open")
    op.drop_column("allocations", "after_closing")
    op.drop_table("practice_dispersals")
