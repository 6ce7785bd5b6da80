"""What came back and goes to another payee."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "redirections",
        sa.Column("redirection", sa.Text(), nullable=False),
        sa.Column("instruction", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("sent_again", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("redirection", name=op.f("pk_redirections")),
    )
    op.create_index("ix_redirections_instruction", "redirections", ["instruction", "network"])


def downgrade() -> None:
    op.drop_table("redirections")
