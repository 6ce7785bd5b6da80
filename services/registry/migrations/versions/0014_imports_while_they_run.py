"""An import is seen while it runs, and when it was refused whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column(
        "imports",
        sa.Column(
            "state",
            sa.Enum("running", "loaded", "refused", "interrupted", name="importstate", native_enum=False, length=32),
            nullable=False,
            server_default="loaded",
        ),
    )
    op.add_column("imports", sa.Column("stage", sa.Text(), nullable=False, server_default="loaded"))
    op.alter_column("imports", "state", server_default=None)
    op.alter_column("imports", "stage", server_default=None)
    op.add_column("imports", sa.Column("reason", sa.Text(), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM imports WHERE state <> 'loaded'")
    op.drop_column("imports", "reason")
    op.drop_column("imports", "stage")
    op.drop_column("imports", "state")
