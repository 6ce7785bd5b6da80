"""mergers that ended"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("practice_successions", sa.Column("valid_to", sa.Date(), nullable=True))
    op.drop_constraint("pk_practice_successions", "practice_successions", type_="primary")
    op.create_primary_key("pk_practice_successions", "practice_successions", ["practice", "succeeded_on"])


def downgrade() -> None:
    op.execute("DELETE FROM practice_successions WHERE valid_to IS NOT NULL")
    op.drop_constraint("pk_practice_successions", "practice_successions", type_="primary")
    op.create_primary_key("pk_practice_successions", "practice_successions", ["practice"])
    op.drop_column("practice_successions", "valid_to")
