"""The instructions taken into another are found by it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_index(
        "ix_payment_instructions_taken_into",
        "payment_instructions",
        ["taken_into"],
        unique=False,
        postgresql_where=sa.text("taken_into IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_payment_instructions_taken_into",
        table_name="payment_instructions",
        postgresql_where=sa.text("taken_into IS NOT NULL"),
    )
