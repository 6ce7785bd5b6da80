"""agreements found by network"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_index("ix_agreement_signatures_version", "agreement_signatures", ["network", "number"], unique=False)
    op.create_index(op.f("ix_agreements_in_force_network"), "agreements_in_force", ["network"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_agreements_in_force_network"), table_name="agreements_in_force")
    op.drop_index("ix_agreement_signatures_version", table_name="agreement_signatures")
