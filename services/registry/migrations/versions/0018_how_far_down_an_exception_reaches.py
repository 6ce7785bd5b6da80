"""how far down an exception reaches"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("waivers", sa.Column("not_below", sa.Numeric(), nullable=True))


def downgrade() -> None:
    op.drop_column("waivers", "not_below")
