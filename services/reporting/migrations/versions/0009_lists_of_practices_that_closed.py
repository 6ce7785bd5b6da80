"""lists of practices that closed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "practice_dispersals",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("practice", "valid_from", name=op.f("pk_practice_dispersals")),
    )
    op.create_table(
        "list_snapshots",
        sa.Column("snapshot", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("snapshot", name=op.f("pk_list_snapshots")),
    )
    op.execute("INSERT INTO list_snapshots SELECT DISTINCT snapshot FROM list_sizes")
    for table in ("practice_coverage", "coverage_changes"):
        op.add_column(table, sa.Column("dispersed", sa.Numeric(), nullable=False, server_default="0"))
        op.alter_column(table, "dispersed", server_default=None)
    op.add_column(
        "practice_coverage",
        sa.Column("merged", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}"),
    )
    op.alter_column("practice_coverage", "merged", server_default=None)
    op.create_index(
        "ix_practice_coverage_dispersed", "practice_coverage", ["practice"], postgresql_where=sa.text("dispersed > 0")
    )


def downgrade() -> None:
    op.drop_index("ix_practice_coverage_dispersed", "practice_coverage")
    op.drop_column("practice_coverage", "merged")
    for table in ("coverage_changes", "practice_coverage"):
        op.drop_column(table, "dispersed")
    op.drop_table("list_snapshots")
    op.drop_table("practice_dispersals")
