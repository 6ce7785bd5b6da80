"""elections by secret ballot"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "elections",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "method",
            sa.Enum("first_past_the_post", "instant_runoff", name="countingmethod", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column(
            "tie_break", sa.Enum("lot", "earlier_rounds", name="tiebreak", native_enum=False, length=32), nullable=False
        ),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lot_seed", sa.String(), nullable=False),
        sa.Column("called_by", sa.Text(), nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Enum("called", "counted", "abandoned", name="electionstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counted_by", sa.Text(), nullable=True),
        sa.Column("tally", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("winner", sa.String(length=32), nullable=True),
        sa.Column("appointment", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("opens_at < closes_at", name=op.f("ck_elections_opens_before_it_closes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_elections")),
    )
    op.create_index(op.f("ix_elections_network"), "elections", ["network"], unique=False)
    op.create_table(
        "ballot_boxes",
        sa.Column("election", sa.String(length=32), nullable=False),
        sa.Column("ballots", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["election"], ["elections.id"], name=op.f("fk_ballot_boxes_election")),
        sa.PrimaryKeyConstraint("election", name=op.f("pk_ballot_boxes")),
    )
    op.create_table(
        "election_candidates",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("election", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("registration_body", sa.String(), nullable=True),
        sa.Column("registration_number", sa.String(), nullable=True),
        sa.Column("statement", sa.Text(), nullable=True),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["election"], ["elections.id"], name=op.f("fk_election_candidates_election")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_election_candidates")),
    )
    op.create_index(op.f("ix_election_candidates_election"), "election_candidates", ["election"], unique=False)
    op.create_table(
        "election_voters",
        sa.Column("election", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=32), nullable=False),
        sa.Column("network", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["election"], ["elections.id"], name=op.f("fk_election_voters_election")),
        sa.PrimaryKeyConstraint("election", "practice", name=op.f("pk_election_voters")),
    )


def downgrade() -> None:
    op.drop_table("election_voters")
    op.drop_index(op.f("ix_election_candidates_election"), table_name="election_candidates")
    op.drop_table("election_candidates")
    op.drop_table("ballot_boxes")
    op.drop_index(op.f("ix_elections_network"), table_name="elections")
    op.drop_table("elections")
