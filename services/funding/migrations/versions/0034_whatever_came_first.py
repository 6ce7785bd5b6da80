"""Copies come out the same whatever came first; networks of before agreements counted are not taken for the register's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"

# False may be only the default the column came with. A decision of another day than the network's first was one on an
# application: the register's networks are approved for their first day. Where the whole network was put right since
# (both positions are that event's), its first day may be another than it was. Of the rest nothing held tells which.
_TOLD_APART = """
    UPDATE networks SET by_application = CASE
        WHEN approved_on <> valid_from AND position <> closing_position THEN true END
    WHERE NOT by_application AND approved_on IS NOT NULL
"""


def upgrade() -> None:
    op.create_table(
        "budget_years",
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("contract_year", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("network", "contract_year", name=op.f("pk_budget_years")),
    )
    op.execute("INSERT INTO budget_years SELECT DISTINCT network, contract_year FROM budgets")
    op.create_table(
        "allocation_words",
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("valid", postgresql.DATERANGE(), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("ends", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("practice", "position", "valid", name=op.f("pk_allocation_words")),
    )
    op.execute(
        "INSERT INTO allocation_words SELECT practice, position, valid, network, false FROM allocations "
        "WHERE upper_inf(known)"
    )
    for name in ("closing_position", "heirs_position"):
        op.add_column("practices", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE practices SET heirs_position = position WHERE closed_on IS NULL")
    for table in ("networks", "networks_before"):
        op.alter_column(table, "by_application", server_default=None, nullable=True)
    op.execute("ALTER TABLE networks DISABLE TRIGGER networks_state_kept")
    op.execute(_TOLD_APART)
    op.execute("ALTER TABLE networks ENABLE TRIGGER networks_state_kept")


def downgrade() -> None:
    op.execute("ALTER TABLE networks DISABLE TRIGGER networks_state_kept")
    op.execute("UPDATE networks SET by_application = false WHERE by_application IS NULL")
    op.execute("ALTER TABLE networks ENABLE TRIGGER networks_state_kept")
    op.execute("UPDATE networks_before SET by_application = false WHERE by_application IS NULL")
    op.alter_column("networks", "by_application", server_default="false", nullable=False)
    op.alter_column("networks_before", "by_application", nullable=False)
    for name in ("heirs_position", "closing_position"):
        op.drop_column("practices", name)
    op.drop_table("allocation_words")
    op.drop_table("budget_years")
