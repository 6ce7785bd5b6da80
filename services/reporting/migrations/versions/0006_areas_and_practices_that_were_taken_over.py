"""areas and practices that were taken over"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "network_leads",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("network", "valid_from", name=op.f("pk_network_leads")),
    )
    op.create_index("ix_network_leads_commissioner", "network_leads", ["commissioner"], unique=False)
    op.create_table(
        "practice_commissioners",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("practice", "valid_from", name=op.f("pk_practice_commissioners")),
    )
    op.create_table(
        "practice_successions",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("successor", sa.String(length=32), nullable=False),
        sa.Column("succeeded_on", sa.Date(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("practice", name=op.f("pk_practice_successions")),
    )
    op.create_index("ix_practice_successions_successor", "practice_successions", ["successor"], unique=False)
    op.create_table(
        "successions",
        sa.Column("commissioner", sa.String(length=32), nullable=False),
        sa.Column("successor", sa.String(length=32), nullable=False),
        sa.Column("succeeded_on", sa.Date(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("commissioner", "successor", name=op.f("pk_successions")),
    )
    op.create_index("ix_successions_successor", "successions", ["successor"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_successions_successor", table_name="successions")
    op.drop_table("successions")
    op.drop_index("ix_practice_successions_successor", table_name="practice_successions")
    op.drop_table("practice_successions")
    op.drop_table("practice_commissioners")
    op.drop_index("ix_network_leads_commissioner", table_name="network_leads")
    op.drop_table("network_leads")
