"""What claims, runs, instructions and everything else that changes said before is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.migrations import create_state_keeping, drop_state_keeping, keep_no_states, keep_states

revision = "0032"
down_revision = "0031"

# by table: its key, since when a row is held, and what its earlier states are looked up by
_KEPT: dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "claims": (("id",), "submitted_at", ("contract_year", "network")),
    "arrears_claims": (("id",), "submitted_at", ("contract_year", "network")),
    "practice_claims": (("id",), "created_at", ("contract_year", "practice")),
    "payment_queries": (("id",), "raised_at", ("contract_year", "network")),
    "payment_runs": (("id",), "calculated_at", ()),
    "payment_instructions": (("id",), "entered_at", ("run",)),
    "run_findings": (("id",), "entered_at", ("run",)),
    "checks": (("id",), "received_at", ()),
    "achievements": (("id",), "entered_at", ("network",)),
    "achievement_corrections": (("id",), "proposed_at", ()),
    "achievement_overrides": (("id",), "proposed_at", ()),
    "redistributions": (("id",), "created_at", ("contract_year",)),
    "variations": (("id",), "proposed_at", ()),
    "debt_decisions": (("id",), "proposed_at", ("payee",)),
    "posts": (("id",), "entered_at", ("network",)),
    "agreed_terms": (("network", "agreement_version"), "entered_at", ()),
    "networks": (("code",), "entered_at", ()),
    "commissioners": (("code",), "entered_at", ()),
    "tenures": (("network", "valid_from"), "entered_at", ()),
    "system_places": (("commissioner", "valid_from"), "entered_at", ()),
}
_ENTERED = [table for table, (_, entered, _) in _KEPT.items() if entered == "entered_at"]


def upgrade() -> None:
    create_state_keeping(op)
    for table in _ENTERED:
        # null for rows held already: since when they are is not known
        op.add_column(table, sa.Column("entered_at", sa.DateTime(timezone=True), nullable=True))
        op.alter_column(table, "entered_at", server_default=sa.text("clock_timestamp()"))
    for table, (key, entered, index) in _KEPT.items():
        keep_states(op, table, *key, entered=entered, index=index)


def downgrade() -> None:
    for table in _KEPT:
        keep_no_states(op, table)
    for table in _ENTERED:
        op.drop_column(table, "entered_at")
    drop_state_keeping(op)
