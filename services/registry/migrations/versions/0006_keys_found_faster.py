"""Dated facts are found by their key through a B-tree, at the same cost wherever in a list they stand."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

KEYS = (
    ("network_entries", "network"),
    ("payees", "network"),
    ("memberships", "practice"),
    ("practice_entries", "practice"),
    ("practice_commissioners", "practice"),
    ("list_sizes", "practice"),
)


def upgrade() -> None:
    for table, key in KEYS:
        op.create_index(f"ix_{table}_{key}", table, [key])


def downgrade() -> None:
    for table, key in KEYS:
        op.drop_index(f"ix_{table}_{key}", table)
