"""Payees are found by their network through a B-tree, at the same cost wherever in a list they stand."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("ix_payees_network", "payees", ["network"])


def downgrade() -> None:
    op.drop_index("ix_payees_network", "payees")
