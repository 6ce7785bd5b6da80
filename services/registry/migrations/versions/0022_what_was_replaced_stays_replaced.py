"""Versions of agreements that came back when the one that took their place had ended are no longer believed in force."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute(
        """
        UPDATE agreements_in_force AS held SET known = tstzrange(lower(held.known), clock_timestamp())
        FROM agreement_versions AS own
        WHERE own.network = held.network AND own.number = held.number AND upper_inf(held.known) AND EXISTS (
            SELECT FROM agreement_versions AS higher
            WHERE higher.network = held.network AND higher.number > held.number
              AND higher.in_force_since <= lower(held.valid)
              AND (higher.ended_on IS NULL OR higher.ended_on >= own.in_force_since)
        )
        """
    )


def downgrade() -> None:
    pass
