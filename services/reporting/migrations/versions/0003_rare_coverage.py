"""Practices whose patients are allocated, left out or covered twice are found among themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

STATES = ("allocated", "uncovered", "twice")


def upgrade() -> None:
    for state in STATES:
        op.create_index(
            f"ix_practice_coverage_{state}",
            "practice_coverage",
            ["practice"],
            postgresql_where=sa.text(f"{state} > 0"),
        )


def downgrade() -> None:
    for state in STATES:
        op.drop_index(f"ix_practice_coverage_{state}", "practice_coverage")
